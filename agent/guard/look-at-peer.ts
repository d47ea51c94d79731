import { conninfoHost } from "#shared/config-files/conninfo.ts";
import type { Login } from "#shared/domain/commands.ts";
import type { ClusterView, PeerSight } from "#shared/domain/cluster-view.ts";
import { greaterLsn } from "#shared/domain/lsn.ts";
import { asFailure } from "#shared/errors.ts";
import { errnoOf } from "../adapters/file-failure.ts";
import { askStatus, askStatusInParts, peerParts, type StatusAnswer } from "../observe/database-status.ts"; // prettier-ignore
import { numberOf, textOf } from "../observe/row-values.ts";
import type { Ports } from "../ports.ts";

export type LookPorts = Pick<Ports, "databases" | "product" | "clock">;
export type DeclaredNode = ClusterView["nodes"][number];

/** For the connection, and for each of the two questions: a look is over within 6 s at the very worst. */
export const lookLimits = { timeoutMs: 2_000, queryTimeoutMs: 2_000 };

/** One look at another node's database over a short session that only reads. Never throws. */
export async function lookAtPeer(
  ports: LookPorts,
  { database }: ClusterView,
  { name: node, address: host, port }: DeclaredNode,
): Promise<PeerSight> {
  const sight = (more: Pick<PeerSight, "database"> & Partial<PeerSight>): PeerSight => ({
    node,
    at: ports.clock.now(),
    from: "own-look",
    systemIdentifier: null,
    timeline: null,
    position: null,
    streaming: [],
    synchronousStandbyNames: null,
    upstream: null,
    problem: null,
    ...more,
  });
  const login: Login = {
    host,
    port,
    user: database.maintenanceUser,
    database: database.name,
    replication: false,
    secret: "database",
  };
  try {
    await using session = await ports.databases.connect(login, lookLimits);
    const dialect = ports.product.dialect(session.versionNumber);
    const answer = await askStatus(session, dialect, peerParts).catch((error: unknown) => {
      // As with the own database: one that refuses the whole may answer its parts.
      if (asFailure(error).retryable) throw error;
      return askStatusInParts(session, dialect, peerParts);
    });
    const { role } = answer.status;
    return role === undefined || role === null
      ? sight({ database: "login-failed", problem: "it does not say whether it is a primary" })
      : sight({ database: role, ...seenIn(answer) });
  } catch (error) {
    return sight({ database: refusalOf(error), problem: asFailure(error).message.slice(0, 500) });
  }
}

function seenIn({ status, synchronousStandbyNames, problems }: StatusAnswer): Partial<PeerSight> {
  const { receiver = null } = status;
  return {
    systemIdentifier: status.systemIdentifier ?? null,
    timeline: status.timeline ?? null,
    position: greaterLsn(status.receivedPosition ?? null, status.position ?? null),
    ...(status.role === "standby" ? { replayed: status.position ?? null } : {}),
    streaming: (status.replication ?? []).map(
      ({ applicationName, state, syncState, flushLsn }) => ({
        applicationName,
        state,
        syncState,
        flushLsn,
      }),
    ),
    synchronousStandbyNames,
    upstream: receiver?.status === "streaming" ? conninfoHost(receiver.conninfo) : null,
    problem: problems.length === 0 ? null : problems.join("; ").slice(0, 500),
  };
}

/** This host could not even ask: that is no silence of the other. */
const ownLack: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EADDRNOTAVAIL"]); // prettier-ignore

/** What the failure of a session says about the host that was asked. */
export function refusalOf(error: unknown): "refused" | "silent" | "login-failed" {
  const failure = asFailure(error);
  const code = errnoOf(failure.cause);
  if (code === "ECONNREFUSED" || code === "ECONNRESET") return "refused";
  const isSqlState = code !== null && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code);
  if (code !== null && ownLack.has(code)) return "login-failed";
  if (isSqlState || failure.code === "AUTHENTICATION_FAILED") return "login-failed";
  return "silent";
}

/** Of a server that does not tell this by SQL: a walsender tells it, of a standby what it replays. null where nobody is let in. */
export async function identityOf(
  ports: LookPorts,
  { database }: ClusterView,
  { address: host, port }: DeclaredNode,
): Promise<Pick<PeerSight, "systemIdentifier" | "timeline">> {
  const login: Login = {
    host,
    port,
    user: database.replicationUser,
    database: database.name,
    replication: true,
    secret: "replication",
  };
  try {
    await using session = await ports.databases.connect(login, lookLimits);
    const [row] = await session.query("IDENTIFY_SYSTEM");
    if (row !== undefined) {
      return { systemIdentifier: textOf(row, "systemid"), timeline: numberOf(row, "timeline") };
    }
  } catch {
    // The look itself has said what there is to say.
  }
  return { systemIdentifier: null, timeline: null };
}
