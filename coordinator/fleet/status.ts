import { parseConninfo } from "#shared/config-files/conninfo.ts";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import type { NodeFacts, ReplicationRow } from "#shared/domain/facts.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import type { NodeStatus } from "../api/contract.ts";
import type { AgentView } from "../ports.ts";

export type AgentViews = ReadonlyMap<string, AgentView>;

/**
 * How the nodes of a cluster are, from the declaration and what agents say now. What only a node that is
 * away could tell is unknown, not remembered: an old role shown as the present one misleads.
 */
export function nodeStatuses(
  declaration: ClusterDeclaration,
  agents: AgentViews,
): readonly NodeStatus[] {
  return declaration.nodes.map((node) => nodeStatus(node, declaration, agents));
}

function nodeStatus(
  node: NodeDeclaration,
  declaration: ClusterDeclaration,
  agents: AgentViews,
): NodeStatus {
  const view = agents.get(node.name);
  const facts = present(view);
  const upstream = findUpstream(node, declaration, agents);
  const sender = upstream === null ? null : present(agents.get(upstream));
  const row = sender === null ? null : replicationRow(node, sender);
  return {
    name: node.name,
    address: node.address,
    port: node.port,
    ...agentColumns(view),
    database: facts?.database.status ?? "unknown",
    role: facts?.database.role ?? null,
    upstream,
    replicationState: row?.state ?? null,
    syncState: row?.syncState ?? null,
    lagBytes: lag(facts, sender, row),
    slotActive: sender?.database.slots.find((slot) => slot.name === node.slot)?.active ?? null,
    pools: poolColumns(node, declaration, agents),
    findings: [...rebuildFindings(node.name, declaration, agents), ...findings(view, facts)],
  };
}

/** A joined agent that no declaration names: only what it says of itself. */
export function unassignedStatus(view: AgentView): NodeStatus {
  const facts = present(view);
  return {
    name: view.node,
    address: facts?.host.addresses.find((a) => a.family === "ipv4")?.address ?? "?",
    port: facts?.agent.databasePort ?? 0,
    ...agentColumns(view),
    database: facts?.database.status ?? "unknown",
    role: facts?.database.role ?? null,
    upstream: null,
    replicationState: null,
    syncState: null,
    lagBytes: null,
    slotActive: null,
    pools: [],
    findings: findings(view, facts),
  };
}

function present(view: AgentView | undefined): NodeFacts | null {
  return view?.connected === true ? view.facts : null;
}

function agentColumns(
  view: AgentView | undefined,
): Pick<NodeStatus, "agent" | "agentVersion" | "lastSeenAt"> {
  return {
    agent: view === undefined ? "not-joined" : view.connected ? "connected" : "away",
    agentVersion: view?.agentVersion ?? null,
    lastSeenAt: view?.lastSeenAt ?? null,
  };
}

/** Where the node's receiver says it streams from; while its agent is away, whoever streams to it. */
function findUpstream(
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

function findings(view: AgentView | undefined, facts: NodeFacts | null): readonly string[] {
  if (view === undefined) return ["no agent has joined"];
  if (!view.connected) return ["its agent is away: what it says last may be old"];
  if (facts === null) return ["its agent has not told its facts yet"];
  const { database, pool, guard } = facts;
  return [
    ...(database.problem === null ? [] : [database.problem]),
    ...(database.upstreamProblem === null ? [] : [`receives no WAL: ${database.upstreamProblem}`]),
    ...(pool?.problem == null ? [] : [`pool: ${pool.problem}`]),
    ...guard.findings.map((f) => `${f.rule}: ${f.because}`),
  ];
}

/** Told by the nodes that dropped its slot: this node's own agent can only see that nothing comes. */
function rebuildFindings(
  node: string,
  declaration: ClusterDeclaration,
  agents: AgentViews,
): readonly string[] {
  return declaration.nodes.flatMap(({ name }) =>
    (present(agents.get(name))?.agent.droppedSlots ?? [])
      .filter(({ forNode, needsRebuild }) => needsRebuild && forNode === node)
      .map(
        ({ name: slot, rule, reason }) =>
          `needs a rebuild: its slot ${slot} was dropped on ${name} (${rule}: ${reason}); castellan slot list ${declaration.name}`,
      ),
  );
}
