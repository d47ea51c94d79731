import { parseConninfo } from "#shared/config-files/conninfo.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { Dialect } from "#shared/products/product.ts";
import { quietAfterMs } from "../../decide/whom-to-follow.ts";
import { ownDialect } from "../../steps/own-dialect.ts";
import { count, flag, text } from "../../steps/row-values.ts";
import { stopServer } from "../../steps/server-stop.ts";
import { lookAtPeer } from "../look-at-peer.ts";
import { divergence, ownStandbyWal, seePrimary, type NewPrimary, type SeenPrimary } from "../new-primary.ts"; // prettier-ignore
import { liftShield } from "../read-only-shield.ts";
import { ownSlot, writeFollowing } from "../rejoin/follow.ts";
import { editUpstream, standbySettings } from "../standby-settings.ts";
import { remakeSlots } from "../standby-slots.ts";
import { startStandby } from "../start-standby.ts";
import { assureSlot, awaitStreaming, receiverProblem } from "../streaming.ts";
import type { GuardExecutor, GuardStepContext } from "./step.ts";

/**
 * This standby follows another primary. Never a rewind: where its WAL went further than the fork it stays as it is, and
 * the mark that is left lets the table decide what becomes of it.
 */
export const repoint: GuardExecutor<"repoint"> = async (step, context) => {
  const { databases, product, settings } = context;
  const dialect = await ownDialect(context);
  const [role] = await databases.own.query(dialect.isInRecovery);
  if (!flag(role, "standby")) throw new Failure("REFUSED", "this node is no standby");
  const before = await standbySettings(context);
  if ((await receiverProblem(step, context)) === null) return streams(step);
  const from = await sender(dialect, context);
  const isBehindStandby = from !== null && (await mayLeave(from, context)) === "standby";
  await using primary = await seePrimary(step, context);
  const byReload = product.followsByReload(databases.own.versionNumber ?? 0);
  // It takes its time, and a fast stop has then little left to write.
  if (!byReload) await databases.own.query("CHECKPOINT");
  await assertFollowable(step, primary, context);
  // A cut may have healed meanwhile.
  if (!isBehindStandby) assertQuiet(await sender(dialect, context));
  await assureSlot(before === null ? ownSlot(context) : before.slot, primary, context);
  const { dataDirectory } = settings.paths;
  const lead = (): Promise<void> =>
    before === null ? writeFollowing(step, context) : editUpstream(before.files, step, context);
  if (byReload) {
    await lead();
    crashPoint("guard:upstream-edited");
    await databases.own.query(dialect.reload);
  } else {
    await context.mark({ restartingSince: context.clock.now() });
    await stopServer({ dataDirectory, stallMs: stopStallMs, leavesFollowers: true }, context);
    crashPoint("guard:stopped-to-repoint");
    await lead();
    crashPoint("guard:upstream-edited");
    await startStandby(context);
    // From here on a stop is somebody else's.
    await context.mark({ restartingSince: null });
  }
  await awaitStreaming(step, primary, context);
  const { wasPrimary, fencedAt } = context.view.marks;
  if (wasPrimary !== null || fencedAt !== null) await remakeSlots(context);
  await liftShield(context);
  await context.mark({ diverged: null, wasPrimary: null, fencedAt: null });
  return streams(step);
};

const stopStallMs = 120_000;

function streams({ node, host, port }: NewPrimary): string {
  return `streams from ${node} (${host}:${port})`;
}

/** Whom its receiver counts as streaming from, and whether nothing has come from there lately. */
type Sender = { readonly host: string; readonly port: number; readonly isQuiet: boolean };

async function sender(dialect: Dialect, { databases }: GuardStepContext): Promise<Sender | null> {
  const [receiver] = await databases.own.query(dialect.receiver);
  if (receiver === undefined || text(receiver, "status") !== "streaming") return null;
  const { values } = parseConninfo(text(receiver, "conninfo"));
  return {
    host: values.get("host") ?? "?",
    port: Number(values.get("port")),
    isQuiet: count(receiver, "message_age_ms") >= quietAfterMs,
  };
}

/** Whoever sends to it is alive, whatever was seen elsewhere. */
function assertQuiet(from: Sender | null): void {
  if (from === null || from.isQuiet) return;
  throw new Failure("REFUSED", `this standby streams from ${from.host}:${from.port}`);
}

/** An idle stream is as quiet as a dead one: whoever answers is alive. @throws Failure REFUSED but for a standby */
async function mayLeave(from: Sender, context: GuardStepContext): Promise<"standby" | "silent"> {
  const { host, port } = from;
  const { cluster } = context.view;
  const node = cluster?.nodes.find(
    (one) => [one.address, one.name].includes(host) && one.port === port,
  );
  const sight = cluster && node && (await lookAtPeer(context, cluster, node));
  if (sight?.database === "standby") return "standby";
  assertQuiet(from);
  if (sight?.database === "silent") return "silent";
  throw new Failure("REFUSED", `this standby streams from ${host}:${port}, which is ${sight?.database ?? "no declared node"}`); // prettier-ignore
}

async function assertFollowable(
  step: NewPrimary,
  primary: SeenPrimary,
  context: GuardStepContext,
): Promise<void> {
  const own = context.view.facts.database.systemIdentifier;
  if (own !== null && own !== primary.systemIdentifier) {
    throw new Failure("REFUSED", `${step.node} is another cluster's: system identifier ${primary.systemIdentifier}, here ${own}`); // prettier-ignore
  }
  const because = divergence(await ownStandbyWal(context), primary);
  if (because === null) return;
  await context.mark({
    diverged: { at: context.clock.now(), timeline: primary.timeline, because },
  });
  throw new Failure("REFUSED", `this standby can't follow ${step.node} as it is: ${because}`, {
    hint: "It has WAL that the new primary has not: it is rewound (guard.rejoin) or copied anew.",
  });
}
