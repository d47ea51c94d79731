import type { AgentFacts } from "#shared/domain/facts.ts";
import { version } from "#shared/version.ts";
import type { LedgerEntry, Ports } from "../ports.ts";
import { ledgerKey } from "../steps/ledger-keys.ts";

type AgentPorts = Pick<Ports, "settings" | "ledger">;

/** What this agent is, may do and has made here. */
export async function observeAgent(ports: AgentPorts, startedAt: number): Promise<AgentFacts> {
  const { settings } = ports;
  return {
    version,
    startedAt,
    product: settings.product,
    verbs: [...settings.allow.verbs],
    poolKind: settings.pool?.kind ?? "none",
    root: settings.paths.root,
    binDirectory: settings.paths.binDirectory,
    dataDirectory: settings.paths.dataDirectory,
    databasePort: settings.database.port,
    startMode: settings.start.mode,
    ownSlots: await ownSlots(ports),
  };
}

type OwnSlot = AgentFacts["ownSlots"][number];

const slotPrefix = ledgerKey.slot("");

/** Slots that our commands made here and that the WAL budget has not taken away. */
async function ownSlots(ports: Pick<Ports, "ledger">): Promise<OwnSlot[]> {
  const entries = await ports.ledger.list(slotPrefix);
  return entries
    .filter(({ entry }) => entry.facts["droppedForBudgetAt"] === undefined)
    .map(({ key, entry }) => ownSlot(key.slice(slotPrefix.length), entry));
}

function ownSlot(name: string, { operationId, facts }: LedgerEntry): OwnSlot {
  const { forNode, walBudgetBytes } = facts;
  return {
    name,
    operationId,
    forNode: typeof forNode === "string" ? forNode : "",
    walBudgetBytes: typeof walBudgetBytes === "number" ? walBudgetBytes : null,
  };
}
