import { asFailure } from "#shared/errors.ts";
import type { WalDisk } from "#shared/domain/facts.ts";
import { parseLsn } from "#shared/domain/lsn.ts";
import { walSegmentBytes } from "#shared/domain/wal-file.ts";
import { slotIdentity } from "../adapters/slot-directory.ts";
import { compareSlots } from "../decide/slot-identity.ts";
import { checkpointMs, judgeWalBudget } from "../decide/wal-budget.ts";
import type { BudgetedSlot, WalBudgetInput, WalBudgetVerdict } from "../decide/wal-budget.ts";
import { dropOwnSlot } from "../drop-own-slot.ts";
import type { HostEvent } from "../host-event.ts";
import { keepersOf } from "../observe/wal-keepers.ts";
import { createWalDiskObserver } from "../observe/wal-disk.ts";
import type { ObservedFacts } from "../observe/observer.ts";
import type { LedgerEntry, Ports } from "../ports.ts";
import {
  isDropped,
  ownSlotEntries,
  type DropDecision,
  type OwnSlotEntry,
} from "../slot-entries.ts";
import { createSlotNotes } from "../slot-notes.ts";
import { createWalBudgetAlerts } from "../wal-budget-alerts.ts";

type BudgetPorts = Pick<Ports, "settings" | "product" | "clock" | "log" | "databases" | "ledger">;

export type WalBudgetGuard = {
  /** Looks at the slots that we made; the only thing that the guard does before a takeover. */
  enforce(facts: ObservedFacts): Promise<void>;
  /** Causes with an open alert. */
  openCauses(): readonly string[];
  walDisk(): WalDisk | null;
};

/** A checkpoint that takes so many times its worst estimate is not waited for. */
const patience = 4;
const adoptAfterMs = 60_000;
/** Looks in a row at which a node must stream again: a walsender that ends is still listed for a moment. */
const streamingLooks = 2;

export function createWalBudgetGuard(
  ports: BudgetPorts,
  onHostEvent: (event: HostEvent) => void,
  openBefore: readonly string[],
): WalBudgetGuard {
  const { ledger, clock, log } = ports;
  const { guard, paths } = ports.settings;
  const limits = guard.slots;
  const disk = createWalDiskObserver(ports);
  const alerts = createWalBudgetAlerts(ports, onHostEvent, openBefore);
  const notes = createSlotNotes(ports);
  /** To be dropped at the last look, and still there. */
  const stuck = new Set<string>();
  const streaming = new Map<string, number>();
  let checkpointing: object | null = null;

  async function enforce(facts: ObservedFacts): Promise<void> {
    const walDisk = await disk.look();
    await notes.noteRest();
    if (facts.database.status !== "running") return;
    const entries = await ownSlotEntries(ledger);
    for (const own of entries) await keepUp(own, facts);
    tellOthers(entries, facts);
    const input = await inputOf(entries, facts, walDisk);
    const { slots, disk: verdict } = judgeWalBudget(input);
    alerts.disk(verdict, input);
    for (const slot of slots) {
      await act(slot, entries, input, facts);
    }
  }

  async function inputOf(
    entries: readonly OwnSlotEntry[],
    { agent, database }: ObservedFacts,
    walDisk: WalDisk | null,
  ): Promise<WalBudgetInput> {
    const slots = agent.ownSlots.flatMap((own): BudgetedSlot[] => {
      const found = database.slots.find(({ name }) => name === own.name);
      const isOurs = entries.some((entry) => entry.name === own.name && !isDropped(entry));
      if (!isOurs || found === undefined || own.isReplaced || notes.isUnnoted(own.name)) return [];
      const { name, forNode, walBudgetBytes } = own;
      const { retainedBytes } = found;
      return [{ name, forNode, walBudgetBytes, retainedBytes, isStuck: stuck.has(name) }];
    });
    const { settings } = database;
    const input = {
      slots,
      keepers: keepersOf(database, new Set(slots.map(({ name }) => name))),
      disk: walDisk === null ? null : { ...walDisk, spareBytes: 0 },
      fillBytesPerSecond: walDisk?.fillBytesPerSecond ?? null,
      dirtyBytes: mostDirtyBytes(settings),
      isCheckpointing: checkpointing !== null,
      limits,
    };
    const position = database.position === null ? null : parseLsn(database.position);
    // Only where it matters: a directory with every segment is read.
    if (judgeWalBudget(input).disk.rule === null || position === null || walDisk === null) {
      return input;
    }
    const spareBytes = await disk.spareBytes(Number(position), walSegmentBytes(settings));
    return { ...input, disk: { ...walDisk, spareBytes } };
  }

  async function act(
    verdict: WalBudgetVerdict,
    entries: readonly OwnSlotEntry[],
    input: WalBudgetInput,
    facts: ObservedFacts,
  ): Promise<void> {
    const { name } = verdict.slot;
    if (verdict.level === "drop") return drop(verdict, input, facts);
    stuck.delete(name);
    const own = entries.find((entry) => entry.name === name);
    // Decided once, not done, and not needed any more: if someone else drops the slot now, it was not us.
    if (own?.facts.dropping !== undefined) await notes.change(own, { dropping: undefined });
    if (verdict.level === "ok") alerts.within(verdict);
    else alerts.near(verdict);
  }

  async function drop(
    { slot, rule, reason }: WalBudgetVerdict,
    input: WalBudgetInput,
    { database }: ObservedFacts,
  ): Promise<void> {
    const { name, forNode } = slot;
    const decision: DropDecision = {
      at: clock.now(),
      rule,
      reason,
      needsRebuild: database.role === "primary",
      facts: {
        slot: database.slots.find((found) => found.name === name),
        budgetBytes: slot.walBudgetBytes,
        disk: input.disk,
        fillBytesPerSecond: input.fillBytesPerSecond,
        keepers: input.keepers,
        position: database.position,
        role: database.role,
        timeline: database.timeline,
      },
    };
    let entry: LedgerEntry | null;
    try {
      entry = await dropOwnSlot(ports, name, decision);
    } catch (error) {
      stuck.add(name);
      alerts.stuck(name, decision, asFailure(error).message);
      return;
    }
    stuck.delete(name);
    if (entry === null) return;
    // Before anything that needs the disk, which may be full: only this gives it space again.
    void checkpoint(input.dirtyBytes);
    await notes.dropped(name, entry, decision);
    alerts.dropped(name, forNode, decision);
  }

  /** What the ledger and the server say of one another, before anything is judged. */
  async function keepUp(own: OwnSlotEntry, { database }: ObservedFacts): Promise<void> {
    const { name, entry, facts } = own;
    const isThere = database.slots.some((slot) => slot.name === name);
    if (isDropped(own)) {
      await noteStreaming(own, database);
    } else if (!isThere && facts.dropping !== undefined && !notes.isUnnoted(name)) {
      // Killed between the drop and its note, perhaps before the checkpoint.
      void checkpoint(mostDirtyBytes(database.settings));
      await notes.dropped(name, entry, facts.dropping);
      alerts.dropped(name, facts.forNode, facts.dropping);
    } else if (isThere && facts.identity === undefined && clock.now() - entry.at > adoptAfterMs) {
      // The step that made it was cut off before it could note which one it made; while it is at work it does so.
      const identity = await slotIdentity(paths.dataDirectory, name);
      const whose = compareSlots({ at: entry.at, identity: undefined }, identity);
      if (identity !== null && whose !== "other") await notes.change(own, { identity });
    }
  }

  async function noteStreaming(
    own: OwnSlotEntry,
    { replication }: ObservedFacts["database"],
  ): Promise<void> {
    const { name, facts } = own;
    if (facts.streamsAgainAt !== undefined) return;
    const isStreaming = replication.some(
      (row) => row.applicationName === facts.forNode && row.state === "streaming",
    );
    const looks = isStreaming ? (streaming.get(name) ?? 0) + 1 : 0;
    streaming.set(name, looks);
    if (looks < streamingLooks) return;
    await notes.change(own, { streamsAgainAt: clock.now() });
    alerts.streamsAgain(name, facts.forNode);
  }

  function tellOthers(entries: readonly OwnSlotEntry[], { agent, database }: ObservedFacts): void {
    for (const { name, forNode, isReplaced } of agent.ownSlots) {
      const isThere = database.slots.some((slot) => slot.name === name);
      alerts.replaced(name, forNode, isReplaced, isThere);
    }
    alerts.keepOnly(new Set(entries.map(({ name }) => name)));
  }

  /** Segments are only removed by a checkpoint. It may take minutes: not on the session that observes. */
  async function checkpoint(dirtyBytes: number): Promise<void> {
    const mine = {};
    checkpointing = mine;
    const isOver = (): void => {
      if (checkpointing === mine) checkpointing = null;
    };
    const ended = new AbortController();
    void clock
      .sleep(checkpointMs(dirtyBytes, limits) * patience, ended.signal)
      .then(isOver, () => undefined);
    try {
      const { name } = ports.settings.database;
      await using session = await ports.databases.connectOwn(name, { isPatient: true });
      await session.query("CHECKPOINT");
    } catch (error) {
      log.warn({ problem: asFailure(error).message }, "No checkpoint after a slot's drop.");
    } finally {
      ended.abort();
      isOver();
    }
  }

  return { enforce, openCauses: () => alerts.openCauses(), walDisk: () => disk.shown() };
}

/** What a checkpoint may have to write, at worst: all of the server's cache. */
function mostDirtyBytes(settings: Readonly<Record<string, string>>): number {
  return Number(settings["shared_buffers"] ?? 0) * Number(settings["block_size"] ?? 8_192);
}
