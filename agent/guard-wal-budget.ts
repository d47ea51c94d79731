import { asFailure } from "#shared/errors.ts";
import { freeBytesAt } from "./adapters/local-system.ts";
import { judgeWalBudget, type BudgetedSlot, type WalBudgetVerdict } from "./decide/wal-budget.ts";
import type { HostEvent } from "./host-event.ts";
import { walDirectory } from "./observe/host.ts";
import type { ObservedFacts } from "./observe/observer.ts";
import { textOf } from "./observe/row-values.ts";
import type { LedgerEntry, Ports } from "./ports.ts";
import { ledgerKey } from "./steps/ledger-keys.ts";

type BudgetPorts = Pick<Ports, "settings" | "product" | "clock" | "log" | "databases" | "ledger">;

export type WalBudgetGuard = {
  /** Looks at the slots that we made; the only thing that the guard does before a takeover. */
  enforce(facts: ObservedFacts): Promise<void>;
  /** Slots with an open alert. */
  warned(): readonly string[];
};

/** A walsender that was told to end lets go of its slot within milliseconds; a busy one takes longer. */
const dropTries = 20;
const dropEveryMs = 100;

export function createWalBudgetGuard(
  ports: BudgetPorts,
  onHostEvent: (event: HostEvent) => void,
  openBefore: readonly string[],
): WalBudgetGuard {
  const warned = new Set(openBefore);
  /** Dropped, but the ledger's disk was too full to take it: noted by a later look. */
  const unnoted = new Map<string, LedgerEntry>();

  async function enforce(facts: ObservedFacts): Promise<void> {
    for (const name of unnoted.keys()) await noteDropped(name);
    for (const name of warned) await forgetTakenBack(name);
    const slots = budgetedSlots(facts).filter(({ name }) => !unnoted.has(name));
    if (slots.length === 0 || facts.database.status !== "running") return;
    const directory = await walDirectory(ports.settings.paths.dataDirectory);
    const walFreeBytes = await freeBytesAt(directory);
    for (const verdict of judgeWalBudget({ slots, walFreeBytes })) await act(verdict);
  }

  async function act(verdict: WalBudgetVerdict): Promise<void> {
    const { slot, level, reason } = verdict;
    switch (level) {
      case "ok":
        if (warned.delete(slot.name)) report(slot, "info", "is back under its WAL budget", reason);
        return;
      case "warn":
        if (!warned.has(slot.name)) report(slot, "warning", "nears its WAL budget", reason);
        warned.add(slot.name);
        return;
      case "drop":
        warned.add(slot.name);
        await drop(slot, reason);
    }
  }

  async function drop(slot: BudgetedSlot, reason: string): Promise<void> {
    const key = ledgerKey.slot(slot.name);
    // Read again right before the effect: an undo may have taken it back, and then the name may be another's.
    const entry = await ports.ledger.get(key);
    if (entry === null || entry.facts["droppedForBudgetAt"] !== undefined) return;
    const { own } = ports.databases;
    const dialect = ports.product.dialect(own.versionNumber ?? 0);
    try {
      await dropSlot(slot.name);
    } catch (error) {
      const { message } = asFailure(error);
      ports.log.error({ slot: slot.name, problem: message }, "A slot over its WAL budget stays.");
      report(
        slot,
        "critical",
        "is over its WAL budget and could not be dropped",
        `${reason}; ${message}`,
      );
      return;
    }
    // Before anything that needs the disk, which may be full: only this gives it space again.
    void checkpoint();
    unnoted.set(slot.name, entry);
    await noteDropped(slot.name);
    report(
      slot,
      "critical",
      `was dropped: ${slot.forNode || "its standby"} needs a rebuild`,
      `${reason}; its walsender was ended, the slot dropped and a checkpoint asked for`,
    );

    async function dropSlot(name: string): Promise<void> {
      for (let tries = 1; ; tries += 1) {
        const rows = await own.query(dialect.slots);
        if (!rows.some((row) => textOf(row, "name") === name)) return;
        await own.query(dialect.terminateSlotHolder, [name]);
        try {
          await own.query(dialect.dropSlot, [name]);
          return;
        } catch (error) {
          if (tries >= dropTries) throw error;
          await ports.clock.sleep(dropEveryMs);
        }
      }
    }
  }

  async function noteDropped(name: string): Promise<void> {
    const key = ledgerKey.slot(name);
    const [dropped, entry] = [unnoted.get(name), await ports.ledger.get(key)];
    try {
      // An undo may have taken the entry back, or an operation made the slot anew.
      if (dropped !== undefined && entry?.at === dropped.at) {
        const facts = { ...entry.facts, droppedForBudgetAt: ports.clock.now() };
        await ports.ledger.put(key, { ...entry, facts });
      }
      unnoted.delete(name);
    } catch (error) {
      const { message } = asFailure(error);
      ports.log.error({ slot: name, problem: message }, "A slot's drop could not be noted yet.");
    }
  }

  /** An undo took the slot away: nothing is left to warn of. */
  async function forgetTakenBack(name: string): Promise<void> {
    if ((await ports.ledger.get(ledgerKey.slot(name))) !== null) return;
    warned.delete(name);
    report({ name }, "info", "is gone: the operation that made it took it back", "");
  }

  /** Segments are only removed by a checkpoint. It may take minutes: not on the session that observes. */
  async function checkpoint(): Promise<void> {
    try {
      await using session = await ports.databases.connectOwn(ports.settings.database.name);
      await session.query("CHECKPOINT");
    } catch (error) {
      ports.log.warn({ problem: asFailure(error).message }, "No checkpoint after a slot's drop.");
    }
  }

  function report(
    slot: Pick<BudgetedSlot, "name">,
    severity: HostEvent["severity"],
    what: string,
    detail: string,
  ): void {
    onHostEvent({
      at: ports.clock.now(),
      kind: "wal-budget",
      cause: `wal-budget:${slot.name}`,
      severity,
      summary: `slot ${slot.name} ${what}`,
      detail,
    });
  }

  return { enforce, warned: () => [...warned] };
}

/** Ours, by the ledger, with a budget. One that the server does not have (any more) is not back in order. */
function budgetedSlots({ agent, database }: ObservedFacts): readonly BudgetedSlot[] {
  return agent.ownSlots.flatMap(({ name, forNode, walBudgetBytes }) => {
    const found = database.slots.find((slot) => slot.name === name);
    if (walBudgetBytes === null || found === undefined) return [];
    return [{ name, forNode, walBudgetBytes, retainedBytes: found.retainedBytes }];
  });
}
