import { crashPoint } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { slotIdentity } from "./adapters/slot-directory.ts";
import { compareSlots } from "./decide/slot-identity.ts";
import type { LedgerEntry, Ports } from "./ports.ts";
import { SlotFacts, type DropDecision } from "./slot-entries.ts";
import { dropSlot } from "./steps/drop-slot.ts";
import { ledgerKey } from "./steps/ledger-keys.ts";

type DropPorts = Pick<Ports, "settings" | "product" | "clock" | "log" | "databases" | "ledger">;

/** A walsender that was told to end lets go of its slot within milliseconds; the next look tries again. */
const mostHeldMs = 2_000;

/**
 * Drops a slot that we made, for its WAL. The decision is on disk before the effect where the disk takes it: an agent
 * that is killed in between finds it, and the standby stays marked.
 * Answers the entry as it was, or null where nothing was to be done any more.
 * @throws Failure where it stays: not recognised as ours, or the server does not let it go
 */
export async function dropOwnSlot(
  ports: DropPorts,
  name: string,
  decision: DropDecision,
): Promise<LedgerEntry | null> {
  const { ledger, log, settings } = ports;
  const key = ledgerKey.slot(name);
  // Read again right before the effect: an undo may have taken it back, and then the name may be another's.
  const entry = await ledger.get(key);
  const facts = entry === null ? null : SlotFacts.parse(entry.facts);
  if (entry === null || facts === null || facts.droppedForBudgetAt !== undefined) return null;
  const noted = { at: entry.at, identity: facts.identity };
  await refuseAnothers();
  await ledger
    .put(key, { ...entry, facts: { ...entry.facts, dropping: decision } })
    .catch((error: unknown) => {
      // A full disk is what this is about.
      log.error({ slot: name, problem: asFailure(error).message }, "A drop is decided but could not be noted before."); // prettier-ignore
    });
  crashPoint("guard:dropping-slot", name);
  const dialect = ports.product.dialect(ports.databases.own.versionNumber ?? 0);
  const { signal } = new AbortController(); // nobody ends the guard in the middle of this
  const slot = { name, dialect, assertOurs: refuseAnothers, stallMs: mostHeldMs };
  await dropSlot(slot, { ...ports, signal });
  crashPoint("guard:slot-dropped", name);
  return entry;

  async function refuseAnothers(): Promise<void> {
    const found = await slotIdentity(settings.paths.dataDirectory, name);
    if (compareSlots(noted, found) === "same") return;
    throw new Failure(
      "REFUSED",
      `the slot ${name} that is there can't be told to be the one that we made`,
      { hint: "docs/slots.md says what to look at before it is dropped by hand" },
    );
  }
}
