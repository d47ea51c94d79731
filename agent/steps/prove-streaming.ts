import { parseConninfo } from "#shared/config-files/conninfo.ts";
import type { CommandArgs, CommandResult, Upstream } from "#shared/domain/commands.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import type { Dialect } from "#shared/products/product.ts";
import type { Session, StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { flag, text, textOrNull } from "./row-values.ts";
import { findSlot } from "./slots.ts";
import type { ReadStep } from "./step.ts";
import { streamingFailure } from "./streaming-failure.ts";
import { watchProgress, type Look } from "./watch-progress.ts";

type Args = CommandArgs<"prove-streaming">;
type Result = CommandResult<"prove-streaming">;

/** Streaming as both ends see it: our receiver, and the upstream's walsender, slot and position. */
export const proveStreaming: ReadStep<"prove-streaming"> = {
  verify: async (args, context) => {
    await using own = await context.databases.connectOwn(context.settings.database.name);
    await using upstream = await connectUpstream(args.upstream, context);
    // Awaited here: returned as it is, the sessions would be closed before the first look.
    return await watchProgress(
      context,
      { stallMs: args.stallMs, everyMs: 50, what: `streaming from ${args.upstream.node}` },
      () => look(args, own, upstream, context),
    ).catch(async (error: unknown) => {
      throw await streamingFailure(error, args.upstream.node, context);
    });
  },
};

export function connectUpstream(
  upstream: Upstream,
  context: StepContext,
  isPatient = false,
): Promise<Session> {
  const { host, port, user, database } = upstream;
  return context.databases.connect(
    { host, port, user, database, replication: false, secret: "database" },
    { isPatient },
  );
}

async function look(
  args: Args,
  own: Session,
  upstream: Session,
  context: StepContext,
): Promise<Look<Result>> {
  const there = context.product.dialect(upstream.versionNumber);
  const receiver = await receiverProblem(args, own, context.product.dialect(own.versionNumber));
  const senders = (await upstream.query(there.replication)).filter(
    (row) => text(row, "application_name") === args.applicationName,
  );
  const sender = senders[0];
  const slot = await findSlot(upstream, there, args.slot);
  const upstreamLsn = await positionOf(upstream, there);
  const replayed = sender === undefined ? null : textOrNull(sender, "replay");
  const lagBytes = Math.max(0, lsnDistance(replayed, upstreamLsn) ?? Number.POSITIVE_INFINITY);
  const state = sender === undefined ? "no walsender" : text(sender, "state");
  const missing =
    receiver ??
    (senders.length > 1
      ? `${senders.length} walsenders are named ${args.applicationName}`
      : null) ??
    (state === "streaming"
      ? null
      : `${args.upstream.node} shows ${state} for ${args.applicationName}`) ??
    (slot?.active === true
      ? null
      : `slot ${args.slot} is ${slot === null ? "missing" : "not active"}`) ??
    (lagBytes <= args.lagLimitBytes
      ? null
      : `${lagBytes} bytes behind, ${args.lagLimitBytes} allowed`);
  if (missing !== null) {
    return { state: "waiting", token: `${state} ${replayed ?? ""} ${receiver ?? ""}`, missing };
  }
  const lines = [
    `receives from ${args.upstream.host}:${args.upstream.port}, slot ${args.slot} active`,
    `${args.upstream.node} streams to ${args.applicationName}, ${lagBytes} bytes behind ${upstreamLsn}`,
  ];
  return { state: "done", value: { ...evidence(lines), lagBytes, upstreamLsn } };
}

/** null when our own receiver streams from the right server through the right slot. */
async function receiverProblem(args: Args, own: Session, dialect: Dialect): Promise<string | null> {
  const [receiver] = await own.query(dialect.receiver);
  if (receiver === undefined) return "no WAL receiver runs here";
  const status = text(receiver, "status");
  if (status !== "streaming") return `the WAL receiver is ${status}`;
  const { values } = parseConninfo(text(receiver, "conninfo"));
  const host = values.get("host");
  const port = values.get("port");
  if (host !== args.upstream.host || port !== String(args.upstream.port)) {
    return `the WAL receiver is connected to ${host ?? "?"}:${port ?? "?"}`;
  }
  const slot = textOrNull(receiver, "slot_name");
  return slot === args.slot ? null : `the WAL receiver uses ${slot ?? "no slot"}`;
}

/** Where the upstream is: what it has written, or replayed where it is a standby itself. */
export async function positionOf(session: Session, dialect: Dialect): Promise<string> {
  const [role] = await session.query(dialect.isInRecovery);
  if (!flag(role, "standby")) {
    const [row] = await session.query(dialect.currentPosition);
    return row === undefined ? "" : text(row, "lsn");
  }
  const [row] = await session.query(dialect.standbyPositions);
  return row === undefined ? "" : text(row, "replayed");
}
