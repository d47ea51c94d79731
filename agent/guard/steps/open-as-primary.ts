import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { ownPlace, stillPrimary } from "../../decide/still-primary.ts";
import { ownDialect } from "../../steps/own-dialect.ts";
import { findPostmaster } from "../../steps/postmaster.ts";
import { flag, text } from "../../steps/row-values.ts";
import { stopServer } from "../../steps/server-stop.ts";
import { standbyMarkerFile, standbyStyleOf } from "../../steps/standby-marker.ts";
import { lookAtPeer } from "../look-at-peer.ts";
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
  await assertStillPrimary(context);
  const role = await ownRole(context);
  if (role !== "primary") {
    if (role === "standby") await stop(context);
    await openReadOnly(context);
    try {
      await context.clock.sleep(settleMs, context.signal);
      await assertStillPrimary(context);
    } catch (error) {
      await closeAgain(context);
      throw error;
    }
  }
  if (await liftShield(context)) {
    await context.databases.own.query((await ownDialect(context)).reload);
  }
  await context.mark({ fencedAt: null, confirmedAt: null, restartingSince: null });
  return "it answers as the primary that it was";
};

async function stop(context: GuardStepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  await context.mark({ restartingSince: context.clock.now() });
  await stopServer({ dataDirectory, stallMs }, context);
  crashPoint("guard:stopped-to-open");
}

async function openReadOnly(context: GuardStepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  await putShield(context);
  // From here on the fence of a start in the site's way leaves it alone, for a minute and until the host's next boot.
  await context.mark({ restartingSince: context.clock.now() });
  await context.files.remove(
    `${dataDirectory}/${standbyMarkerFile(await standbyStyleOf(dataDirectory, context))}`,
  );
  crashPoint("guard:marker-removed");
  await startServer("primary", context);
  crashPoint("guard:opened-read-only");
}

/** Someone else may be the primary by now. */
async function closeAgain(context: GuardStepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  await stopServer({ dataDirectory, stallMs }, context);
  await putStandbyMarker(context);
  await liftShield(context);
  await startStandby(context);
  await context.mark({ restartingSince: null });
}

/** Over sessions of its own, now. */
async function assertStillPrimary(context: GuardStepContext): Promise<void> {
  const { cluster, marks, node } = context.view;
  const declared = cluster?.nodes ?? [];
  const [peers, pools] =
    cluster === null
      ? [[], []]
      : await Promise.all([
          Promise.all(
            declared
              .filter(({ name }) => name !== node)
              .map((one) => lookAtPeer(context, cluster, one)),
          ),
          Promise.all(
            declared.flatMap((one) =>
              one.pool === null ? [] : [lookAtPool(context, cluster, one, one.pool.port)],
            ),
          ),
        ]);
  const own = ownPlace(context.view);
  const { against, doubts } = stillPrimary({ cluster, node, peers, pools, own });
  const isConfirmed =
    marks.confirmedAt !== null && context.clock.now() - marks.confirmedAt < confirmedForMs;
  const missing = isConfirmed ? against : [...against, ...doubts];
  if (missing.length === 0) return;
  if (marks.confirmedAt !== null) await context.mark({ confirmedAt: null });
  throw new Failure("REFUSED", `it can't be said that this node still is the primary: ${missing.join("; ")}`, { retryable: true }); // prettier-ignore
}

/** null: no server runs. */
async function ownRole(context: GuardStepContext): Promise<"primary" | "standby" | null> {
  const { databases, settings } = context;
  if ((await findPostmaster(settings.paths.dataDirectory, context)) === null) return null;
  const dialect = await ownDialect(context);
  const [row] = await databases.own.query(dialect.isInRecovery);
  if (!flag(row, "standby")) return "primary";
  const [receiver] = await databases.own.query(dialect.receiver);
  if (receiver !== undefined && text(receiver, "status") === "streaming") {
    throw new Failure("REFUSED", "this standby streams: it follows another primary");
  }
  return "standby";
}
