import type { AgentFacts } from "#shared/domain/facts.ts";
import { version } from "#shared/version.ts";
import { createSlotLook } from "../adapters/slot-directory.ts";
import { compareSlots, type SlotIdentity } from "../decide/slot-identity.ts";
import type { Ports } from "../ports.ts";
import { isDropped, ownSlotEntries, type OwnSlotEntry } from "../slot-entries.ts";

type AgentPorts = Pick<Ports, "settings" | "ledger" | "clock">;

/** What this agent is, may do and has made here. */
export function createAgentObserver(
  ports: AgentPorts,
  startedAt: number,
): () => Promise<AgentFacts> {
  const { settings } = ports;
  const slotsOnDisk = createSlotLook(settings.paths.dataDirectory, () => ports.clock.now());
  return async () => {
    const entries = await ownSlotEntries(ports.ledger);
    const own = entries.filter((entry) => !isDropped(entry));
    const identities = await slotsOnDisk(own.map(({ name }) => name));
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
      ownSlots: own.map((entry) => ownSlot(settings, entry, identities.get(entry.name) ?? null)),
      droppedSlots: entries.flatMap(droppedSlot),
    };
  };
}

function ownSlot(
  settings: AgentPorts["settings"],
  { name, entry, facts }: OwnSlotEntry,
  found: SlotIdentity | null,
): AgentFacts["ownSlots"][number] {
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
