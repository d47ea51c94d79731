import { parseLsn } from "#shared/domain/lsn.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { text } from "./row-values.ts";
import { findSlot } from "./slots.ts";
import { watchProgress } from "./watch-progress.ts";

/**
 * A copy from a standby begins at the standby's replay position: only when that has passed the restart_lsn of the
 * slot on the node that will be streamed from does the slot hold all that the new node will ask for.
 * Both are asked with the maintenance user of the slot's holder, who exists on every node of a cluster.
 */
export async function waitForSource(
  args: CommandArgs<"base-backup">,
  context: StepContext,
): Promise<void> {
  const { source, slotHolder, slot: name } = args;
  if (source.node === slotHolder.node || name === null) return;
  const secret = "database";
  const base = {
    user: slotHolder.user,
    database: slotHolder.database,
    replication: false,
    secret,
  } as const;
  await using holder = await context.databases.connect({
    ...base,
    host: slotHolder.host,
    port: slotHolder.port,
  });
  await using standby = await context.databases.connect({
    ...base,
    host: source.host,
    port: source.port,
  });
  const slot = await findSlot(holder, context.product.dialect(holder.versionNumber), name);
  const wanted = slot?.restartLsn == null ? null : parseLsn(slot.restartLsn);
  if (wanted === null) {
    throw new Failure("NOT_FOUND", `${slotHolder.node} has no slot ${name} that holds WAL`, {
      hint: "The slot must be made there, reserved, before the copy begins.",
    });
  }
  const positions = context.product.dialect(standby.versionNumber).standbyPositions;
  await watchProgress(
    context,
    { stallMs: args.stallMs, everyMs: 50, what: `${source.node}'s replay` },
    async () => {
      const [row] = await standby.query(positions);
      const replayed = row === undefined ? "" : text(row, "replayed");
      const at = parseLsn(replayed);
      if (at === null) {
        throw new Failure("REFUSED", `${source.node} replays no WAL: it is not a standby`);
      }
      if (at >= wanted) return { state: "done", value: null };
      const missing = `at ${replayed}, the slot begins at ${slot?.restartLsn ?? ""}`;
      return { state: "waiting", token: replayed, missing };
    },
  );
}

/**
 * A copy that was cut off may still hold the slot on its source until wal_sender_timeout, a minute by default, and
 * the next one would be refused for so long. The slot is this operation's own, and no job of ours runs any more.
 */
export async function freeSlot(
  args: CommandArgs<"base-backup">,
  context: StepContext,
): Promise<void> {
  const { source, slotHolder, slot: name } = args;
  if (name === null) return;
  await using session = await context.databases.connect({
    host: source.host,
    port: source.port,
    user: slotHolder.user,
    database: slotHolder.database,
    replication: false,
    secret: "database",
  });
  const dialect = context.product.dialect(session.versionNumber);
  // Who is told to end still has to: until then the slot would be refused to the next copy.
  await watchProgress(
    context,
    { stallMs: args.stallMs, everyMs: 50, what: `the end of the former copy on ${source.node}` },
    async () => {
      await session.query(dialect.terminateSlotHolder, [name]);
      const slot = await findSlot(session, dialect, name);
      if (slot?.active !== true) return { state: "done", value: null };
      return { state: "waiting", token: "active", missing: `slot ${name} is in use there` };
    },
  );
}
