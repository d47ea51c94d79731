import { asFailure } from "#shared/errors.ts";
import type { WalDisk } from "#shared/domain/facts.ts";
import { parseLsn } from "#shared/domain/lsn.ts";
import { walSegmentBytes } from "#shared/domain/wal-file.ts";
import { slotIdentity } from "./adapters/slot-directory.ts";
import { checkpointMs, judgeWalBudget, walBudgetRules } from "./decide/wal-budget.ts";
import type { BudgetedSlot, DiskVerdict, WalBudgetInput, WalBudgetVerdict } from "./decide/wal-budget.ts"; // prettier-ignore
import { dropOwnSlot } from "./drop-own-slot.ts";
import type { HostEvent } from "./host-event.ts";
import { keepersOf } from "./observe/wal-keepers.ts";
import { createWalDiskObserver } from "./observe/wal-disk.ts";
import type { ObservedFacts } from "./observe/observer.ts";
import type { LedgerEntry, Ports } from "./ports.ts";
import { isDropped, ownSlotEntries, type DropDecision, type OwnSlotEntry } from "./slot-entries.ts";
import { ledgerKey } from "./steps/ledger-keys.ts";

type BudgetPorts = Pick<Ports, "settings" | "product" | "clock" | "log" | "databases" | "ledger">;

export type WalBudgetGuard = {
  /** Looks at the slots that we made; the only thing that the guard does before a takeover. */
  enforce(facts: ObservedFacts): Promise<void>;
  /** Causes with an open alert. */
  openCauses(): readonly string[];
  walDisk(): WalDisk | null;
};

/** A drop that failed is tried at every look, and told this often. */
const tellAgainMs = 60_000;
/** A checkpoint that takes so many times its worst estimate is not waited for. */
const patience = 4;
const adoptAfterMs = 60_000;
/** Looks in a row without danger before the disk's alert ends: a load has its breaks. */
const calmLooks = 5;
const slotCauses: ReadonlySet<string> = new Set(["wal-budget", "slot-dropped", "slot-replaced"]);
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
  const open = new Set(openBefore);
  /** Dropped, but the ledger's disk was too full to take it: noted by a later look. */
  const unnoted = new Map<
    string,
    { readonly entry: LedgerEntry; readonly decision: DropDecision }
  >();
  const stuck = new Map<string, { readonly toldAt: number }>();
  const streaming = new Map<string, number>();
  let checkpointing: object | null = null;
  let calm = 0;

  async function enforce(facts: ObservedFacts): Promise<void> {
    const walDisk = await disk.look();
    for (const name of unnoted.keys()) await noteDropped(name);
    if (facts.database.status !== "running") return;
    const entries = await ownSlotEntries(ledger);
    await keepUp(entries, facts);
    const input = await inputOf(entries, facts, walDisk);
    const { slots, disk: verdict } = judgeWalBudget(input);
    tellDisk(verdict, input);
    for (const slot of slots) {
      if (slot.level !== "drop") {
        await forgetDecision(entries.find(({ name }) => name === slot.slot.name));
      }
      await act(slot, input, facts);
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
      if (!isOurs || found === undefined || own.isReplaced || unnoted.has(own.name)) return [];
      const { name, forNode, walBudgetBytes } = own;
      const { retainedBytes } = found;
      return [{ name, forNode, walBudgetBytes, retainedBytes, isStuck: stuck.has(name) }];
    });
    const { settings } = database;
    const without = {
      slots,
      keepers: keepersOf(database, new Set(slots.map(({ name }) => name))),
      disk: walDisk === null ? null : { ...walDisk, spareBytes: 0 },
      fillBytesPerSecond: walDisk?.fillBytesPerSecond ?? null,
      dirtyBytes: Number(settings["shared_buffers"] ?? 0) * Number(settings["block_size"] ?? 8_192),
      isCheckpointing: checkpointing !== null,
      limits,
    };
    const position = database.position === null ? null : parseLsn(database.position);
    // Only where it matters: a directory with every segment is read.
    if (judgeWalBudget(without).disk.rule === null || position === null || walDisk === null) {
      return without;
    }
    const spareBytes = await disk.spareBytes(Number(position), walSegmentBytes(settings));
    return { ...without, disk: { ...walDisk, spareBytes } };
  }

  async function act(
    verdict: WalBudgetVerdict,
    input: WalBudgetInput,
    facts: ObservedFacts,
  ): Promise<void> {
    const { slot, level, rule, reason } = verdict;
    const cause = `wal-budget:${slot.name}`;
    const why = [`rule ${rule}: ${walBudgetRules[rule]}`, reason];
    switch (level) {
      case "ok":
        stuck.delete(slot.name);
        // Made anew by an operation: what was said of the one before is over.
        end(`slot-dropped:${slot.name}`, `slot ${slot.name} was made anew`, reason);
        end(cause, `slot ${slot.name} is back under its WAL budget`, reason);
        return;
      case "warn":
        if (!open.has(cause)) {
          tell(cause, "warning", `slot ${slot.name} nears its WAL budget`, why.join("\n"));
        }
        return;
      case "drop":
        await drop(verdict, input, facts);
    }
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
      tellStuck(name, decision, asFailure(error).message);
      return;
    }
    if (entry === null) return;
    stuck.delete(name);
    // Before anything that needs the disk, which may be full: only this gives it space again.
    void checkpoint(input);
    unnoted.set(name, { entry, decision });
    await noteDropped(name);
    tellDropped(name, forNode, decision);
  }

  function tellStuck(name: string, decision: DropDecision, problem: string): void {
    const toldAt = stuck.get(name)?.toldAt ?? Number.NEGATIVE_INFINITY;
    if (clock.elapsedMs() - toldAt < tellAgainMs) return;
    stuck.set(name, { toldAt: clock.elapsedMs() });
    log.error({ slot: name, problem }, "A slot over its WAL budget stays.");
    const summary = `slot ${name} is over its WAL budget and could not be dropped`;
    tell(`wal-budget:${name}`, "critical", summary, `${decisionText(name, decision)}\n${problem}`);
  }

  function tellDropped(name: string, forNode: string, decision: DropDecision): void {
    const node = forNode || "its standby";
    const { rule, reason, facts } = decision;
    log.warn({ slot: name, node, rule, reason, facts }, "A slot of ours was dropped for its WAL.");
    end(`wal-budget:${name}`, `slot ${name} is gone`, "dropped for its WAL");
    const what = decision.needsRebuild
      ? `slot ${name} was dropped: ${node} needs a rebuild`
      : `slot ${name} was dropped on this standby: ${node} could not follow this node any more`;
    tell(
      `slot-dropped:${name}`,
      "critical",
      what,
      `${decisionText(name, decision)}\nits walsender was ended, the slot dropped and a checkpoint asked for\nnext: castellan slot list, and docs/slots.md`,
    );
  }

  /** What the ledger and the server say of one another, before anything is judged. */
  async function keepUp(entries: readonly OwnSlotEntry[], facts: ObservedFacts): Promise<void> {
    const { slots, replication } = facts.database;
    for (const own of entries) {
      const { name, entry } = own;
      const isThere = slots.some((slot) => slot.name === name);
      if (isDropped(own)) {
        await noteStreaming(own, replication);
      } else if (!isThere && own.facts.dropping !== undefined && !unnoted.has(name)) {
        // Killed between the drop and its note.
        unnoted.set(name, { entry, decision: own.facts.dropping });
        await noteDropped(name);
        tellDropped(name, own.facts.forNode, own.facts.dropping);
      } else if (isThere && own.facts.identity === undefined && isOld(own)) {
        const identity = await slotIdentity(paths.dataDirectory, name);
        if (identity !== null) await change(own, { identity });
      }
    }
    tellReplaced(facts);
    for (const cause of open) {
      const [kind, name = ""] = cause.split(":");
      if (!slotCauses.has(kind ?? "")) continue;
      // An undo took the slot away: nothing is left to warn of.
      if (entries.some((own) => own.name === name)) continue;
      end(cause, `slot ${name} is gone: the operation that made it took it back`, "");
    }
  }

  /** The step that made it was cut off before it could note which one it made; while it is at work it does so. */
  function isOld({ entry }: OwnSlotEntry): boolean {
    return clock.now() - entry.at > adoptAfterMs;
  }

  function tellReplaced({ agent, database }: ObservedFacts): void {
    for (const { name, forNode, isReplaced } of agent.ownSlots) {
      const cause = `slot-replaced:${name}`;
      if (!isReplaced) {
        end(cause, `slot ${name} is no longer another's`, "");
      } else if (!open.has(cause) && database.slots.some((slot) => slot.name === name)) {
        tell(
          cause,
          "warning",
          `slot ${name} is not the one that Castellan made for ${forNode}: someone dropped that and made another`,
          "It is treated as any slot that is not ours: reported, never dropped, outside of the WAL budget. docs/slots.md says how it is told apart.",
        );
      }
    }
  }

  /** Decided once, not done, and not needed any more: if someone else drops the slot now, it was not us. */
  async function forgetDecision(own: OwnSlotEntry | undefined): Promise<void> {
    if (own?.facts.dropping === undefined) return;
    await change(own, { dropping: undefined });
  }

  async function noteStreaming(
    own: OwnSlotEntry,
    replication: ObservedFacts["database"]["replication"],
  ): Promise<void> {
    const { name, facts } = own;
    if (facts.streamsAgainAt !== undefined) return;
    const isStreaming = replication.some(
      (row) => row.applicationName === facts.forNode && row.state === "streaming",
    );
    const looks = isStreaming ? (streaming.get(name) ?? 0) + 1 : 0;
    streaming.set(name, looks);
    if (looks < streamingLooks) return;
    await change(own, { streamsAgainAt: clock.now() });
    end(`slot-dropped:${name}`, `${facts.forNode} streams from here again`, "");
  }

  async function change(own: OwnSlotEntry, more: Readonly<Record<string, unknown>>): Promise<void> {
    const key = ledgerKey.slot(own.name);
    // An operation may be at it, too.
    const entry = await ledger.get(key);
    if (entry === null || entry.at !== own.entry.at) return;
    await ledger
      .put(key, { ...entry, facts: { ...entry.facts, ...more } })
      .catch((error: unknown) => {
        const { message } = asFailure(error);
        log.error({ slot: own.name, problem: message }, "The ledger takes nothing; tried again.");
      });
  }

  async function noteDropped(name: string): Promise<void> {
    const dropped = unnoted.get(name);
    const key = ledgerKey.slot(name);
    try {
      const entry = await ledger.get(key);
      // An undo may have taken the entry back, or an operation made the slot anew.
      if (dropped !== undefined && entry?.at === dropped.entry.at) {
        const { decision } = dropped;
        const facts = { ...entry.facts, dropping: decision, droppedForBudgetAt: decision.at };
        await ledger.put(key, { ...entry, facts });
      }
      unnoted.delete(name);
    } catch (error) {
      const { message } = asFailure(error);
      log.error({ slot: name, problem: message }, "A slot's drop could not be noted yet.");
    }
  }

  /** Segments are only removed by a checkpoint. It may take minutes: not on the session that observes. */
  async function checkpoint({ dirtyBytes }: WalBudgetInput): Promise<void> {
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

  /** Nothing of ours helps: a person has to. */
  function tellDisk(verdict: DiskVerdict, input: WalBudgetInput): void {
    const cause = "wal-disk";
    const { rule, reason, but } = verdict;
    calm = rule === null ? calm + 1 : 0;
    if (rule === null) {
      if (calm >= calmLooks) end(cause, "there is space for WAL again", reason);
      return;
    }
    if (but === null || input.isCheckpointing || open.has(cause)) return;
    const { slots, keepers, disk: seen, fillBytesPerSecond } = input;
    const detail = [
      `rule ${rule}: ${walBudgetRules[rule]}`,
      reason,
      but,
      `facts ${JSON.stringify({ slots, keepers, disk: seen, fillBytesPerSecond })}`,
      "next: castellan slot list, and docs/slots.md",
    ].join("\n");
    log.warn({ rule, reason, but }, "The WAL's disk fills, and no slot of ours is the reason.");
    tell(cause, "critical", "the disk of the WAL fills, and no slot of ours is the reason", detail);
  }

  function end(cause: string, summary: string, detail: string): void {
    if (open.delete(cause)) report(cause, "info", summary, detail);
  }

  function tell(
    cause: string,
    severity: "warning" | "critical",
    summary: string,
    detail: string,
  ): void {
    open.add(cause);
    report(cause, severity, summary, detail);
  }

  function report(
    cause: string,
    severity: HostEvent["severity"],
    summary: string,
    detail: string,
  ): void {
    onHostEvent({ at: clock.now(), kind: "wal-budget", cause, severity, summary, detail });
  }

  return { enforce, openCauses: () => [...open], walDisk: () => disk.shown() };
}

/** The rule and the facts, as they are in the ledger. */
function decisionText(name: string, { at, rule, reason, facts }: DropDecision): string {
  const because = Object.entries(walBudgetRules).find(([id]) => id === rule)?.[1] ?? "";
  return [
    `rule ${rule}: ${because}`,
    reason,
    `facts ${JSON.stringify(facts)}`,
    `decision ${name}@${at}`,
  ].join("\n");
}
