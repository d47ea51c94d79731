import { bareAddress, isSameAddress } from "#shared/domain/addresses.ts";
import { parseConninfo } from "#shared/config-files/conninfo.ts";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import type { DatabaseFacts, NodeFacts, ReplicationRow } from "#shared/domain/facts.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import type { ClusterStatus, NodeStatus } from "../api/contract.ts";
import type { AgentView } from "../ports.ts";

export type AgentViews = ReadonlyMap<string, AgentView>;

/**
 * How the nodes of a cluster are, from the declaration and what agents say now. What only a node that is
 * away could tell is unknown, not remembered: an old role shown as the present one misleads.
 */
export function nodeStatuses(
  declaration: ClusterDeclaration,
  agents: AgentViews,
  now: number,
): readonly NodeStatus[] {
  return declaration.nodes.map((node) => nodeStatus(node, declaration, agents, now));
}

/** The declared virtual addresses, and who is seen to have them. */
export function virtualAddresses(
  { virtualAddresses: { database, pool }, nodes }: ClusterDeclaration,
  agents: AgentViews,
): ClusterStatus["virtualAddresses"] {
  return [
    { of: "database", declared: database } as const,
    { of: "pool", declared: pool } as const,
  ].flatMap(({ of, declared }) => {
    if (declared === null) return [];
    const address = bareAddress(declared);
    const on = nodes.filter(({ name }) =>
      present(agents.get(name))?.host.addresses.some((one) => isSameAddress(one.address, address)),
    );
    return [{ of, address, on: on.map(({ name }) => name) }];
  });
}

function nodeStatus(
  node: NodeDeclaration,
  declaration: ClusterDeclaration,
  agents: AgentViews,
  now: number,
): NodeStatus {
  const view = agents.get(node.name);
  const facts = present(view);
  const upstream = findUpstream(node, declaration, agents);
  const sender = upstream === null ? null : present(agents.get(upstream));
  const row = sender === null ? null : replicationRow(node, sender);
  const lagBytes = lag(facts, sender, row);
  const senderClockMs = agents.get(upstream ?? "")?.clockOffsetMs ?? 0;
  const { problems, ...own } = ownColumns(view);
  return {
    ...own,
    name: node.name,
    address: node.address,
    port: node.port,
    upstream,
    replicationState: row?.state ?? null,
    syncState: row?.syncState ?? null,
    lagBytes,
    lagMs: lagTime(lagBytes, facts?.database.replayedAt ?? null, now + senderClockMs),
    slotActive: sender?.database.slots.find((slot) => slot.name === node.slot)?.active ?? null,
    pools: poolColumns(node, declaration, agents),
    problems: { ...problems, rebuild: whyRebuild(node.name, declaration, agents) },
  };
}

/** A joined agent that no declaration names: only what it says of itself. */
export function unassignedStatus(view: AgentView): NodeStatus {
  const facts = present(view);
  return {
    ...ownColumns(view),
    name: view.node,
    address: facts?.host.addresses.find((a) => a.family === "ipv4")?.address ?? "?",
    port: facts?.agent.databasePort ?? 0,
    upstream: null,
    replicationState: null,
    syncState: null,
    lagBytes: null,
    lagMs: null,
    slotActive: null,
    pools: [],
  };
}

function present(view: AgentView | undefined): NodeFacts | null {
  return view?.connected === true ? view.facts : null;
}

type Between =
  | "name"
  | "address"
  | "port"
  | "upstream"
  | "replicationState"
  | "syncState"
  | "lagBytes"
  | "lagMs"
  | "slotActive"
  | "pools";

/** What a node says of itself. */
function ownColumns(view: AgentView | undefined): Omit<NodeStatus, Between> {
  const facts = present(view);
  const database = facts?.database ?? null;
  return {
    agent: view === undefined ? "not-joined" : view.connected ? "connected" : "away",
    agentVersion: view?.agentVersion ?? null,
    lastSeenAt: view?.lastSeenAt ?? null,
    factsAt: view?.factsAt ?? null,
    database: database?.status ?? "unknown",
    role: database?.role ?? null,
    roleByFiles:
      database === null || database.status === "absent"
        ? null
        : database.hasStandbyMarker
          ? "standby"
          : "primary",
    timeline: database?.timeline ?? null,
    isReceiving: database === null ? null : database.receiver?.status === "streaming",
    synchronous: database === null ? null : synchronousIn(database),
    slots: (facts?.database.slots ?? []).map(({ name, active, retainedBytes }) => ({
      name,
      active,
      retainedBytes,
      budgetBytes: facts?.agent.ownSlots.find((own) => own.name === name)?.walBudgetBytes ?? null,
    })),
    walDisk: facts?.guard.walDisk ?? null,
    guard: facts === null ? null : pickGuard(facts.guard),
    ownPool: facts?.pool === null || facts?.pool === undefined ? null : facts.pool.status,
    problems: {
      database: database?.problem ?? null,
      upstream: database?.upstreamProblem ?? null,
      pool: facts?.pool?.problem ?? null,
      rebuild: null,
    },
  };
}

function synchronousIn({ settings, replication }: DatabaseFacts): NodeStatus["synchronous"] {
  const names = settings["synchronous_standby_names"];
  if (names === undefined) return null;
  const counted = replication.filter(
    ({ state, syncState }) =>
      state === "streaming" && (syncState === "sync" || syncState === "quorum"),
  );
  return { names, standbys: counted.length };
}

function pickGuard({
  mode,
  maintenance = null,
  findings,
}: NodeFacts["guard"]): NodeStatus["guard"] {
  return { mode, maintenance, findings };
}

/** Where the node's receiver says it streams from; while its agent is away, whoever streams to it. */
export function findUpstream(
  node: NodeDeclaration,
  declaration: ClusterDeclaration,
  agents: AgentViews,
): string | null {
  const facts = present(agents.get(node.name));
  if (facts !== null) {
    const receiver = facts.database.receiver;
    if (receiver === null) return null;
    const { values } = parseConninfo(receiver.conninfo);
    const host = values.get("hostaddr") ?? values.get("host");
    const port = Number(values.get("port") ?? node.port);
    const named = declaration.nodes.find((n) => n.address === host && n.port === port);
    return named?.name ?? (host === undefined ? null : `${host}:${port}`);
  }
  const sender = declaration.nodes.find((other) => {
    const theirs = present(agents.get(other.name));
    return theirs !== null && replicationRow(node, theirs) !== null;
  });
  return sender?.name ?? null;
}

function replicationRow(node: NodeDeclaration, sender: NodeFacts): ReplicationRow | null {
  return sender.database.replication.find((r) => r.applicationName === node.name) ?? null;
}

/** Both positions from one snapshot where possible: the sender's own view of the receiver. */
function lag(
  facts: NodeFacts | null,
  sender: NodeFacts | null,
  row: ReplicationRow | null,
): number | null {
  if (sender === null) return null;
  const replayed = row?.replayLsn ?? facts?.database.position ?? null;
  const distance = lsnDistance(replayed, sender.database.position);
  // Facts of two hosts are not of one moment: a standby can't be ahead.
  return distance === null ? null : Math.max(0, distance);
}

/**
 * How long ago the last commit was made that it has replayed: at most so far is it behind, as the primary may have
 * had nothing to do meanwhile.
 */
function lagTime(lagBytes: number | null, replayedAt: number | null, now: number): number | null {
  if (lagBytes === 0) return 0;
  return lagBytes === null || replayedAt === null ? null : Math.max(0, now - replayedAt);
}

function poolColumns(
  node: NodeDeclaration,
  declaration: ClusterDeclaration,
  agents: AgentViews,
): NodeStatus["pools"] {
  return declaration.nodes
    .filter((other) => other.pool !== null)
    .map((other) => {
      const pool = present(agents.get(other.name))?.pool ?? null;
      if (pool === null) return { on: other.name, status: "unknown", role: "" };
      if (pool.status !== "running") return { on: other.name, status: pool.status, role: "" };
      const row = pool.rows.find((r) => r.hostname === node.address && r.port === node.port);
      return { on: other.name, status: row?.status ?? "absent", role: row?.role ?? "" };
    });
}

/** Told by the nodes that dropped its slot: this node's own agent can only see that nothing comes. */
function whyRebuild(
  node: string,
  declaration: ClusterDeclaration,
  agents: AgentViews,
): string | null {
  const dropped = declaration.nodes.flatMap(({ name }) =>
    (present(agents.get(name))?.agent.droppedSlots ?? [])
      .filter(({ forNode, needsRebuild }) => needsRebuild && forNode === node)
      .map(
        ({ name: slot, rule, reason }) =>
          `its slot ${slot} was dropped on ${name} (${rule}: ${reason})`,
      ),
  );
  return dropped.length === 0 ? null : dropped.join("; ");
}
