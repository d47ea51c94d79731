import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { streamsFrom } from "../../decide/commits.ts";
import { isOut } from "../../decide/not-promotable.ts";
import { isPrimaryRow } from "../../decide/pool-rows.ts";
import { poolControl } from "../../steps/pool-door.ts";
import { awaitOtherPools, awaitRow, declaredRow, leads, lookAgain } from "../pool-row.ts";
import { lookAtPool } from "../look-at-pool.ts";
import type { GuardExecutor, GuardStepContext } from "./step.ts";

export const detachBackend: GuardExecutor<"detach-backend"> = async ({ id }, guard) => {
  const node = declaredRow(guard.view, id);
  const { seen, primary } = await lookAgain(node, guard);
  if (node.name === primary.node) throw new Failure("REFUSED", `${node.name} is the primary`);
  const now = seen.find((sight) => sight.node === node.name);
  if (now?.database === "primary" && (now.timeline ?? 0) >= (primary.timeline ?? 0)) {
    throw new Failure("REFUSED", `${node.name} is a primary on timeline ${now.timeline}`);
  }
  if (streamsFrom(primary, node.name)) {
    throw new Failure("REFUSED", `${node.name} streams from ${primary.node} again`);
  }
  const context = {
    ...guard,
    operationId: guard.decisionId,
    stepId: id.toString(),
    progress: () => undefined,
  };
  await using control = await poolControl(context);
  leads(control);
  const row = await awaitRow(control.pcp, node, context, () => true);
  // Whatever this host sees: a pool that loses its primary fails over.
  const role = row.role ?? (await roleBySql(id, guard));
  if (role === "")
    throw new Failure("REFUSED", `no pool tells whether ${node.name} is its primary`);
  if (isPrimaryRow(role)) throw new Failure("REFUSED", `the pool has ${node.name} as its primary`);
  if (row.status === "up") {
    await control.pcp.detach(id);
    crashPoint("guard:detached");
  }
  await awaitRow(control.pcp, node, context, ({ status }) => status !== "up");
  await awaitOtherPools(node, guard, isOut);
  return `backend ${id} (${node.name}) is detached`;
};

/** Up to pgpool 3.6 the control programs do not tell it; empty where this host's pool does not either. */
async function roleBySql(id: number, guard: GuardStepContext): Promise<string> {
  const { cluster, node } = guard.view;
  const own = cluster?.nodes.find(({ name }) => name === node);
  if (cluster === null || own === undefined || own.pool === null) return "";
  const { rows } = await lookAtPool(guard, cluster, own, own.pool.port);
  return rows.find((row) => row.id === id)?.role ?? "";
}
