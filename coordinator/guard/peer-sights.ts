import { conninfoHost } from "#shared/config-files/conninfo.ts";
import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import type { PeerSight } from "#shared/domain/cluster-view.ts";
import type { DatabaseFacts } from "#shared/domain/facts.ts";
import { greaterLsn } from "#shared/domain/lsn.ts";
import type { AgentView } from "../ports.ts";

/** What the agents of a cluster say of their own databases; nothing is said of one that is away. */
export function sightsOf(
  { nodes }: Pick<ClusterDeclaration, "nodes">,
  agent: (node: string) => Pick<AgentView, "facts" | "factsAreCurrent"> | null,
  at: number,
): readonly PeerSight[] {
  return nodes.flatMap(({ name }) => {
    const view = agent(name);
    return view?.factsAreCurrent === true && view.facts !== null
      ? [sightOf(name, view.facts.database, at)]
      : [];
  });
}

function sightOf(node: string, database: DatabaseFacts, at: number): PeerSight {
  const { receiver, replication, settings } = database;
  const isRunning = database.status === "running";
  return {
    node,
    at,
    from: "coordinator",
    database: stateOf(database),
    systemIdentifier: database.systemIdentifier,
    timeline: database.timeline,
    position: isRunning ? greaterLsn(database.receivedPosition, database.position) : null,
    ...(isRunning && database.role === "standby"
      ? { replayed: greaterLsn(database.position, null) }
      : {}),
    streaming: replication.map(({ applicationName, state, syncState, flushLsn }) => ({
      applicationName,
      state,
      syncState,
      flushLsn: greaterLsn(flushLsn, null),
    })),
    synchronousStandbyNames: isRunning ? (settings["synchronous_standby_names"] ?? null) : null,
    upstream: receiver?.status === "streaming" ? conninfoHost(receiver.conninfo) : null,
    problem: database.problem?.slice(0, 500) ?? null,
  };
}

function stateOf({ status, role }: DatabaseFacts): PeerSight["database"] {
  if (status === "running" && role !== null) return role;
  // A postmaster that gives no session is there all the same.
  return status === "absent" || status === "stopped" ? "refused" : "login-failed";
}
