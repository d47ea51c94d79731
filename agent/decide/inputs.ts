import { mostInputs } from "#shared/domain/guard.ts";
import type { GuardMemory, GuardView } from "./view.ts";

/** What a decision looked at, as JSON of at most `mostInputs` characters: what matters least is left out first. */
export function decisionInputs(view: GuardView, memory: GuardMemory): string {
  const { facts, hasStalePid, hasDeadPool, messageAgeMs, peers, pools, marks } = view;
  const { database, pool, agent, host, files } = facts;
  const sections: Readonly<Record<string, unknown>> = {
    database: {
      status: database.status,
      problem: cut(database.problem),
      role: database.role,
      timeline: database.timeline,
      position: database.position,
      receivedPosition: database.receivedPosition,
      postmasterPid: database.postmasterPid,
      hasStalePid,
      hasStandbyMarker: database.hasStandbyMarker,
      hasIncompleteMarker: database.hasIncompleteMarker,
      receiver: database.receiver && {
        status: database.receiver.status,
        slot: database.receiver.slot,
        timeline: database.receiver.timeline,
        messageAgeMs,
      },
      upstreamProblem: cut(database.upstreamProblem),
    },
    memory,
    marks: {
      ...marks,
      needsRebuild: marks.needsRebuild && {
        ...marks.needsRebuild,
        because: cut(marks.needsRebuild.because),
      },
    },
    peers: some(
      peers,
      ({
        node,
        from,
        database: seen,
        timeline,
        position,
        upstream,
        streaming,
        synchronousStandbyNames,
        problem,
      }) => ({
        node,
        from,
        seen,
        timeline,
        position,
        upstream,
        streaming: some(
          streaming,
          ({ applicationName, state, syncState }) => `${applicationName} ${state} ${syncState}`,
        ),
        synchronousStandbyNames: cut(synchronousStandbyNames),
        problem: cut(problem),
      }),
    ),
    pools: some(pools, ({ node, status, rows, problem }) => ({
      node,
      status,
      rows: some(rows, ({ id, status: is, role }) => `${id} ${is} ${role}`),
      problem: cut(problem),
    })),
    hasDeadPool,
    replication: some(database.replication, (row) => ({
      name: row.applicationName,
      state: row.state,
      sync: row.syncState,
      replayed: row.replayLsn,
    })),
    slots: some(database.slots, ({ name, active, retainedBytes }) => ({
      name,
      active,
      retainedBytes,
    })),
    pool: pool && {
      status: pool.status,
      problem: cut(pool.problem),
      isLeader: pool.isLeader,
      rows: some(pool.rows, ({ id, hostname, port, status, role }) => ({
        id,
        at: `${hostname}:${port}`,
        status,
        role,
      })),
    },
    ownSlots: some(agent.ownSlots, ({ name, walBudgetBytes }) => ({ name, walBudgetBytes })),
    archiver: database.archiver,
    addresses: some(host.addresses, ({ nic, address }) => `${nic} ${address}`),
    cron: some(
      files.filter(({ format }) => format === "cron"),
      ({ path, state, hash }) => ({ path, state, hash }),
    ),
  };
  const kept = Object.entries(sections);
  let text = JSON.stringify(sections);
  while (text.length > mostInputs) {
    kept.pop();
    text = JSON.stringify({ ...Object.fromEntries(kept), isCut: true });
  }
  return text;
}

const mostRows = 10;

function some<T>(rows: readonly T[], tell: (row: T) => unknown): readonly unknown[] {
  const told = rows.slice(0, mostRows).map(tell);
  return rows.length <= mostRows ? told : [...told, `${rows.length - mostRows} more`];
}

function cut(text: string | null): string | null {
  return text === null ? null : text.slice(0, 200);
}
