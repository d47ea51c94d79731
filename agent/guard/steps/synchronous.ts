import { askingFor, requiredStandbys } from "#shared/domain/sync-list.ts";
import { crashPoint } from "#shared/crash-point.ts";
import type { GuardStep } from "#shared/domain/guard.ts";
import { Failure } from "#shared/errors.ts";
import { reducedFrom, satisfying, stateOf } from "../../decide/commits.ts";
import { whyNotRecorded } from "../../decide/not-promotable.ts";
import { replicationOf } from "../../observe/database-status.ts";
import { ownDialect } from "../../steps/own-dialect.ts";
import { flag } from "../../steps/row-values.ts";
import {
  autoConfPath,
  awaitSynchronousList,
  showSynchronousList,
  writeSynchronousList,
} from "../../steps/synchronous-list.ts";
import { lookAtPool } from "../look-at-pool.ts";
import type { GuardExecutor, GuardStepContext } from "./step.ts";

/**
 * What commits wait for. Who left, and that no pool may promote them, is asked once more right before a list that asks
 * for fewer; what was in force before is marked first, so that it comes back whatever happens in between.
 */
export const synchronous: GuardExecutor<"synchronous"> = async (step, context) => {
  const { databases, view } = context;
  const dialect = await ownDialect(context);
  const [role] = await databases.own.query(dialect.isInRecovery);
  if (flag(role, "standby")) throw new Failure("REFUSED", "this node is a standby");
  const current = await showSynchronousList(context);
  const before = reducedFrom(view.marks.synchronousBefore, current);
  const wanted = requiredStandbys(step.names) ?? 0;
  const isFewer = wanted < (requiredStandbys(current) ?? 0);
  if (current !== step.names) {
    if (isFewer) {
      if (askingFor(current, wanted) !== step.names) {
        throw new Failure("REFUSED", `somebody made synchronous_standby_names '${current}' meanwhile`); // prettier-ignore
      }
      await assertRecorded(step.notPromotable, context);
      await context.mark({ synchronousBefore: before ?? current });
    }
    // At last: pools and disks may take their time.
    const list = isFewer ? current : step.names;
    await assertStreaming(step, list, isFewer, context).catch(async (error: unknown) => {
      if (isFewer) await context.mark({ synchronousBefore: before });
      throw error;
    });
    crashPoint("guard:synchronous-marked");
    const path = autoConfPath(context);
    const from = await hashOf(path, context);
    await writeSynchronousList(step.names, context);
    const hash = await hashOf(path, context);
    if (hash !== null) context.files.edited(path, hash, from);
    await awaitSynchronousList(step.names, context);
  }
  if (!isFewer && step.names === (before ?? step.names)) {
    await context.mark({ synchronousBefore: null });
  }
  return `synchronous_standby_names is '${step.names}'`;
};

async function hashOf(path: string, { files }: GuardStepContext): Promise<string | null> {
  const file = await files.read(path).catch(() => null);
  return file?.hash ?? null;
}

/** As few as are to be asked for, or as many; and nobody is back. */
async function assertStreaming(
  { names, notPromotable }: Extract<GuardStep, { do: "synchronous" }>,
  list: string,
  isFewer: boolean,
  context: GuardStepContext,
): Promise<void> {
  const { replication } = await ownDialect(context);
  const streaming = (await context.databases.own.query(replication)).map(replicationOf);
  const found = satisfying({ streaming, position: null }, list);
  const wanted = requiredStandbys(names) ?? 0;
  if (isFewer ? found > wanted : found < wanted) {
    throw new Failure("REFUSED", `${found} of '${list}' stream now, so it is not made '${names}'`);
  }
  const back = notPromotable.find((name) => stateOf({ streaming }, name) !== null);
  if (back !== undefined) throw new Failure("REFUSED", `${back} is back`);
}

async function assertRecorded(left: readonly string[], context: GuardStepContext): Promise<void> {
  const { cluster } = context.view;
  const pools = await Promise.all(
    (cluster?.nodes ?? []).flatMap((node) =>
      cluster === null || node.pool === null
        ? []
        : [lookAtPool(context, cluster, node, node.pool.port)],
    ),
  );
  const why = whyNotRecorded({ cluster, pools }, left);
  if (why !== null) throw new Failure("REFUSED", why);
}
