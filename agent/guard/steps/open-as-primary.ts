import { crashPoint } from "#shared/crash-point.ts";
import type { ClusterView, PeerSight } from "#shared/domain/cluster-view.ts";
import { greaterLsn } from "#shared/domain/lsn.ts";
import { Failure } from "#shared/errors.ts";
import { mayFollowPrimary, ownPlace, stillPrimary } from "../../decide/still-primary.ts";
import { ownDialect } from "../../steps/own-dialect.ts";
import { flag, text, textOrNull } from "../../steps/row-values.ts";
import { stopServer } from "../../steps/server-stop.ts";
import { standbyMarkerFile, standbyStyleOf } from "../../steps/standby-marker.ts";
import { identityOf, lookAtPeer, type DeclaredNode } from "../look-at-peer.ts";
import { lookAtPool } from "../look-at-pool.ts";
import { liftShield, putShield } from "../read-only-shield.ts";
import { startServer, startStandby } from "../start-standby.ts";
import type { GuardExecutor, GuardStepContext } from "./step.ts";
import { putStandbyMarker } from "./write-standby-marker.ts";

const stallMs = 120_000;
/** What the stop made a pool do shows within this time: the row is down before the pool promotes anybody. */
const settleMs = 2_000;
/** An operator's word is about what he saw when he gave it. */
const confirmedForMs = 600_000;

/**
 * The server goes on as the primary that it was, on its timeline. Everybody is looked at before it is stopped, and again
 * when it answers, while it takes no writes yet: a pool may have failed over because of the stop. While it is stopped no
 * pool is asked, as a session on a pool makes it ask for the primary. docs/adr/0008 says why this is enough.
 */
export const openAsPrimary: GuardExecutor<"open-as-primary"> = async (_step, context) => {
  if (context.view.marks.fencedAt === null) {
    throw new Failure("REFUSED", "its standby marker is not the guard's");
  }
  try {
    if ((await assertStillPrimary(context)) === "standby") {
      await openReadOnly(context);
      await context.clock.sleep(settleMs, context.signal);
      await assertStillPrimary(context);
    }
  } catch (error) {
    // Begun now, or by an agent that ended before it had looked again.
    if (context.guardMarks.current().restartingSince !== null) await closeAgain(context);
    throw error;
  }
  await context.files.remove(await markerOf(context));
  await liftShield(context);
  await context.mark({ fencedAt: null, confirmedAt: null, restartingSince: null });
  return "it answers as the primary that it was";
};

async function openReadOnly(context: GuardStepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  // The fence of a start in the site's way leaves it alone, for a minute and until the host's next boot.
  await context.mark({ restartingSince: context.clock.now() });
  await putShield(context);
  await stopServer({ dataDirectory, stallMs }, context);
  crashPoint("guard:stopped-to-open");
  await context.files.remove(await markerOf(context));
  crashPoint("guard:marker-removed");
  await startServer("primary", context);
  crashPoint("guard:opened-read-only");
}

async function markerOf(context: GuardStepContext): Promise<string> {
  const { dataDirectory } = context.settings.paths;
  return `${dataDirectory}/${standbyMarkerFile(await standbyStyleOf(dataDirectory, context))}`;
}

/** Someone else may be the primary by now. An agent that is told to end does not leave it open. */
async function closeAgain(given: GuardStepContext): Promise<void> {
  const context = { ...given, signal: new AbortController().signal };
  const { dataDirectory } = context.settings.paths;
  const role = await ownServer(context).then(
    (server) => server.role,
    () => null,
  );
  if (role !== "standby") {
    // First: whoever starts it next, and whatever ends this here, it is a standby.
    await putStandbyMarker(context);
    await stopServer({ dataDirectory, stallMs }, context);
  }
  await startStandby(context);
  await liftShield(context);
  await context.mark({ restartingSince: null });
}

/** Over sessions of its own, now. Answers what this server is. */
async function assertStillPrimary(context: GuardStepContext): Promise<OwnServer["role"]> {
  const { cluster, marks, node } = context.view;
  if (cluster === null) throw new Failure("REFUSED", "this host has not been told of its cluster");
  const others = cluster.nodes.filter(({ name }) => name !== node);
  const [peers, pools] = await Promise.all([
    Promise.all(others.map((one) => lookAtStandby(context, cluster, one))),
    Promise.all(
      cluster.nodes.flatMap((one) =>
        one.pool === null ? [] : [lookAtPool(context, cluster, one, one.pool.port)],
      ),
    ),
  ]);
  // After the others, as they can't be further on than it is by then.
  const server = await ownServer(context);
  const { position, replayed } = server;
  const own = { ...ownPlace(context.view), position, replayed };
  const { against, doubts } = stillPrimary({ cluster, node, peers, pools, own });
  const isConfirmed =
    marks.confirmedAt !== null && context.clock.now() - marks.confirmedAt < confirmedForMs;
  const follows = mayFollowPrimary(server.receiver, { cluster, peers })
    ? ["it streams from a node that may be the primary"]
    : [];
  const missing = [...against, ...follows, ...(isConfirmed ? [] : doubts)];
  if (missing.length === 0) return server.role;
  if (marks.confirmedAt !== null) await context.mark({ confirmedAt: null });
  throw new Failure("REFUSED", `it can't be said that this node still is the primary: ${missing.join("; ")}`, { retryable: true }); // prettier-ignore
}

/** Its timeline is asked for over a walsender where SQL does not tell it. */
async function lookAtStandby(
  context: GuardStepContext,
  cluster: ClusterView,
  node: DeclaredNode,
): Promise<PeerSight> {
  const seen = await lookAtPeer(context, cluster, node);
  if (seen.database !== "standby" || seen.timeline !== null) return seen;
  return { ...seen, ...(await identityOf(context, cluster, node)) };
}

type OwnServer = {
  readonly role: "primary" | "standby";
  readonly position: string | null;
  readonly replayed: string | null;
  readonly receiver: { readonly status: string; readonly conninfo: string } | null;
};

async function ownServer(context: GuardStepContext): Promise<OwnServer> {
  const { databases } = context;
  const dialect = await ownDialect(context);
  const [row] = await databases.own.query(dialect.isInRecovery);
  if (!flag(row, "standby"))
    return { role: "primary", position: null, replayed: null, receiver: null };
  const [reached] = await databases.own.query(dialect.standbyPositions);
  const [receiver] = await databases.own.query(dialect.receiver);
  return {
    role: "standby",
    position:
      reached === undefined
        ? "0/0"
        : (greaterLsn(text(reached, "received"), text(reached, "replayed")) ?? "0/0"),
    replayed: reached === undefined ? null : textOrNull(reached, "replayed"),
    receiver:
      receiver === undefined
        ? null
        : { status: text(receiver, "status"), conninfo: text(receiver, "conninfo") },
  };
}
