import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import type { NodeFacts, SlotRow } from "#shared/domain/facts.ts";
import { productOf } from "#shared/products/product.ts";
import type { NodeSlots, SlotLine } from "../api/contract.ts";
import { findUpstream, type AgentViews } from "./status.ts";

type OwnSlot = NodeFacts["agent"]["ownSlots"][number];
type DroppedSlot = NodeFacts["agent"]["droppedSlots"][number];
/** Where each declared node streams from, as far as anybody can tell. */
type Upstreams = ReadonlyMap<string, string | null>;

/** Every slot of a cluster on every node, with whose it is and what for: from what the agents say now. */
export function slotLedger(
  declaration: ClusterDeclaration,
  agents: AgentViews,
): readonly NodeSlots[] {
  const upstreams: Upstreams = new Map(
    declaration.nodes.map((node) => [node.name, findUpstream(node, declaration, agents)]),
  );
  return declaration.nodes.map((node): NodeSlots => {
    const view = agents.get(node.name);
    const facts = view?.connected === true ? view.facts : null;
    if (facts === null) {
      const agent = view === undefined ? "not-joined" : view.connected ? "connected" : "away";
      return { node: node.name, agent, role: null, slots: [], walDisk: null, archiver: null };
    }
    const { agent, database, guard } = facts;
    const there = database.slots.map((slot) =>
      presentSlot(slot, { on: node.name, facts, declaration, upstreams }),
    );
    // One that was never seen may not have been made yet.
    const missing =
      database.status === "running" ? agent.ownSlots.filter(({ isSeen }) => isSeen) : [];
    return {
      node: node.name,
      agent: "connected",
      role: database.role,
      slots: [
        ...there,
        ...missing
          .filter(({ name }) => !database.slots.some((slot) => slot.name === name))
          .map(missingSlot),
        ...agent.droppedSlots.map((dropped) => droppedSlot(dropped, declaration, node.name)),
      ],
      walDisk: guard.walDisk,
      archiver: database.archiver,
    };
  });
}

type Place = {
  readonly on: string;
  readonly facts: NodeFacts;
  readonly declaration: ClusterDeclaration;
  readonly upstreams: Upstreams;
};

function presentSlot(slot: SlotRow, place: Place): SlotLine {
  const named = place.facts.agent.ownSlots.find(({ name }) => name === slot.name) ?? null;
  const own = named?.isReplaced === false ? named : null;
  const owner = own?.forNode ?? declaredOwner(slot.name, place.declaration);
  const line = {
    slot: slot.name,
    isOurs: own !== null,
    owner,
    operationId: own?.operationId ?? null,
    purpose: purposeOf(slot, own, owner, place),
    since: own?.madeAt ?? slot.madeAt ?? slot.seenAt,
    isSinceSeen: own === null && slot.madeAt === null,
    state: slot.walStatus === "lost" ? "lost" : slot.active ? "active" : "inactive",
    client: slot.client,
    pid: slot.activePid,
    retainedBytes: slot.retainedBytes,
    budgetBytes: own?.walBudgetBytes ?? null,
    xminAge: oldest(slot.xminAge, slot.catalogXminAge),
  } as const;
  return { ...line, note: noteOn(slot, named, place) };
}

/** Not made by us, but the declaration says whose slot bears this name. */
function declaredOwner(name: string, declaration: ClusterDeclaration): string | null {
  return declaration.nodes.find((node) => node.slot === name)?.name ?? null;
}

function purposeOf(
  slot: SlotRow,
  own: OwnSlot | null,
  owner: string | null,
  { on, upstreams }: Place,
): string {
  if (slot.type === "logical") {
    return `logical decoding (${slot.plugin ?? "?"}, database ${slot.database ?? "?"})`;
  }
  if (/basebackup/.test(slot.client ?? "") || slot.temporary) return "base backup";
  const upstream = owner === null ? null : (upstreams.get(owner) ?? null);
  if (owner !== null && slot.active) return `upstream of ${owner}`;
  if (owner !== null && upstream === on) return `${owner} streams from here without it`;
  if (owner !== null && owner === on) return "of this node itself: used by nobody here";
  if (slot.restartLsn === null && (own !== null || owner !== null)) {
    return `for a failover to ${on}, holds nothing`;
  }
  if (owner !== null && upstream !== null) return `for nobody: ${owner} streams from ${upstream}`;
  if (owner !== null) return `for ${owner}, which does not stream now`;
  return slot.active ? "unknown, in use" : "unknown";
}

/** What is wrong with it and what to type; null where it is in order. */
function noteOn(
  slot: SlotRow,
  own: OwnSlot | null,
  { on, facts, declaration }: Place,
): string | null {
  if (own?.isReplaced === true) {
    return `not the slot that operation ${own.operationId} made: someone dropped that and made another. It is never touched`;
  }
  if (slot.walStatus === "lost") {
    return `the server has removed WAL that it needs (max_slot_wal_keep_size): whoever used it has to be copied anew`;
  }
  const isIdle = !slot.active && (slot.retainedBytes ?? 0) > 0;
  if (own !== null || !isIdle) return null;
  const { dropSlot } = productOf(declaration.product).dialect(facts.database.versionNumber ?? 0);
  return `not ours, inactive, and it holds back WAL. If nobody needs it, on ${on}: ${dropSlot.replace("$1", `'${slot.name}'`)}`;
}

function missingSlot(own: OwnSlot): SlotLine {
  return {
    ...absentLine(own, own.madeAt),
    budgetBytes: own.walBudgetBytes,
    state: "missing",
    purpose: `for ${own.forNode}`,
    note: `operation ${own.operationId} made it, and someone dropped it`,
  };
}

function droppedSlot(dropped: DroppedSlot, declaration: ClusterDeclaration, on: string): SlotLine {
  const next = dropped.needsRebuild
    ? rebuildHint(dropped.forNode, declaration.name)
    : `${dropped.forNode} could not follow ${on} after a failover until the slot is made again`;
  return {
    ...absentLine(dropped, dropped.droppedAt),
    state: "dropped",
    purpose: `for ${dropped.forNode}`,
    note: `dropped by rule ${dropped.rule}: ${dropped.reason}. ${next}`,
  };
}

function absentLine(
  { name, forNode, operationId }: Pick<OwnSlot, "name" | "forNode" | "operationId">,
  since: number,
): Omit<SlotLine, "state" | "purpose" | "note"> {
  return {
    slot: name,
    isOurs: true,
    owner: forNode,
    operationId,
    since,
    isSinceSeen: false,
    client: null,
    pid: null,
    retainedBytes: null,
    budgetBytes: null,
    xminAge: null,
  };
}

/** There is no command that rebuilds a node in place: what is true today. */
function rebuildHint(node: string, cluster: string): string {
  return `${node} has to be copied anew: take it out (docs/slots.md, "A standby that needs a rebuild"), then castellan node add ${cluster} ${node} --address ADDRESS`;
}

function oldest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
