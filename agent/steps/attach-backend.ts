import * as z from "zod";
import type { BackendRow, CommandArgs } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { openPcp, type Pcp } from "../adapters/pcp.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { poolControl } from "./pool-door.ts";
import { isStopped, notLoaded, placeOf, rowInPool } from "./pool-rows.ts";
import type { ChangeStep } from "./step.ts";
import { watchProgress } from "./watch-progress.ts";

const ledgerKey = ({ row }: CommandArgs<"attach-backend">): string => `attached:${row.id}`;
const limits = { upMs: 3_000, everyMs: 5 };

/**
 * Asked of every pool's agent: the watchdog's leader (or a pool without a watchdog) attaches, another one waits to see
 * the leader's attach arrive. Runs while the door may be shut, so with no more work than needed.
 */
export const attachBackend: ChangeStep<"attach-backend"> = {
  check: async ({ row }, context) => {
    await using control = await poolControl(context);
    const found = await mustHave(control.pcp, row);
    if (found !== "up") return null;
    return evidence([`backend ${row.id} ${placeOf(row)} is up already`], { alreadyDone: true });
  },
  apply: async (args, context) => {
    await using control = await poolControl(context);
    if (!control.acts) return;
    await noteOwn(context, ledgerKey(args), {});
    await control.pcp.attach(args.row.id);
    crashPoint("step:attached");
  },
  verify: async (args, context) => {
    const { row } = args;
    await using control = await poolControl(context);
    await waitForStatus(control.pcp, row, context, (status) => status === "up");
    const isOurs = (await ownFacts(context, ledgerKey(args), z.object({}))) !== null;
    const how = isOurs ? "attached here" : "attached by the watchdog's leader";
    return evidence([`backend ${row.id} ${placeOf(row)} is up, ${how}`]);
  },
  /** Sessions that already read from the node reconnect once. */
  undo: async (args, context) => {
    const { row } = args;
    const own = await ownFacts(context, ledgerKey(args), z.object({}));
    if (own === null) return evidence(["not attached by this operation"], { alreadyDone: true });
    await using pcp = await openPcp(context);
    if (await isStopped(pcp, row, context)) {
      await context.ledger.delete(ledgerKey(args));
      return evidence(["no pool runs here: its file loses the row next"]);
    }
    const found = await pcp.node(row.id);
    const isOurs = found?.hostname === row.hostname && found.port === row.port;
    if (isOurs && found.status === "up") {
      await pcp.detach(row.id);
      crashPoint("step:detached");
      await waitForStatus(pcp, row, context, (status) => status !== "up");
    }
    await context.ledger.delete(ledgerKey(args));
    return evidence([`backend ${row.id} is detached`], { alreadyDone: found?.status !== "up" });
  },
};

async function mustHave(pcp: Pcp, row: BackendRow): Promise<string> {
  const found = await rowInPool(pcp, row);
  if (found !== null) return found.status;
  throw notLoaded(row);
}

async function waitForStatus(
  pcp: Pcp,
  row: BackendRow,
  context: StepContext,
  wanted: (status: string) => boolean,
): Promise<void> {
  const what = `backend ${row.id} ${placeOf(row)}`;
  await watchProgress(
    context,
    { stallMs: limits.upMs, everyMs: limits.everyMs, what },
    async () => {
      const status = await mustHave(pcp, row);
      return wanted(status)
        ? { state: "done", value: null }
        : { state: "waiting", token: status, missing: `the pool shows it ${status}` };
    },
  );
}
