import type { AgentFacts } from "#shared/domain/facts.ts";
import { version } from "#shared/version.ts";
import { slotIdentity } from "../adapters/slot-directory.ts";
import { compareSlots } from "../decide/slot-identity.ts";
import type { Ports } from "../ports.ts";
import { isDropped, ownSlotEntries, type OwnSlotEntry } from "../slot-entries.ts";

type AgentPorts = Pick<Ports, "settings" | "ledger">;

/** What this agent is, may do and has made here. */
export async function observeAgent(ports: AgentPorts, startedAt: number): Promise<AgentFacts> {
  const { settings } = ports;
  const entries = await ownSlotEntries(ports.ledger);
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
    ownSlots: await Promise.all(
      entries.filter((entry) => !isDropped(entry)).map((entry) => ownSlot(ports, entry)),
    ),
    droppedSlots: entries.flatMap(droppedSlot),
  };
}

async function ownSlot(
  { settings }: AgentPorts,
  { name, entry, facts }: OwnSlotEntry,
): Promise<AgentFacts["ownSlots"][number]> {
  const found = await slotIdentity(settings.paths.dataDirectory, name);
  return {
    name,
    operationId: entry.operationId,
    forNode: facts.forNode,
    walBudgetBytes: facts.walBudgetBytes ?? settings.guard.slots.budgetBytes,
    madeAt: entry.at,
    reserve: facts.reserve,
    isSeen: facts.identity !== undefined,
    isReplaced: compareSlots({ at: entry.at, identity: facts.identity }, found) === "other",
  };
}

function droppedSlot({ name, entry, facts }: OwnSlotEntry): AgentFacts["droppedSlots"] {
  const { droppedForBudgetAt, streamsAgainAt, dropping, forNode } = facts;
  if (droppedForBudgetAt === undefined || streamsAgainAt !== undefined) return [];
  return [
    {
      name,
      operationId: entry.operationId,
      forNode,
      droppedAt: droppedForBudgetAt,
      rule: dropping?.rule ?? "slot-over-budget",
      reason: dropping?.reason ?? "",
      needsRebuild: dropping?.needsRebuild ?? true,
    },
  ];
}
