import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { clusterCommits } from "../../decide/commits.ts";
import { whyBehind, whyNotFollowing } from "../../decide/pool-rows.ts";
import { failbackIsOver, openDoor, poolControl, shutDoor } from "../../steps/pool-door.ts";
import { awaitOtherPools, awaitRow, declaredRow, leads, lookAgain } from "../pool-row.ts";
import type { GuardExecutor } from "./step.ts";

/** A failback takes about 0.1 s; whatever happens in the middle, the kernel opens the door by itself. */
const holdMs = 1_000;
/** Statements that are under way when the door is shut reach their session within this time. */
const settleMs = 50;

/** Behind this pool's shut door, so that no session here sends a statement while the pool handles it. */
export const attachBackend: GuardExecutor<"attach-backend"> = async ({ id }, guard) => {
  const { clock, decisionId, signal, settings, view } = guard;
  const node = declaredRow(view, id);
  const { seen, primary } = await lookAgain(node, guard);
  const why =
    whyNotFollowing({ ...view, peers: seen }, primary, node) ??
    whyBehind(primary, node.name, view.policy.attachWithinBytes);
  if (why !== null) throw new Failure("REFUSED", why);
  // Who may be promoted was judged by it.
  if (primary.names !== clusterCommits(view)?.names) {
    throw new Failure("REFUSED", `synchronous_standby_names of ${primary.node} is '${primary.names}' by now`); // prettier-ignore
  }
  const context = {
    ...guard,
    operationId: decisionId,
    stepId: id.toString(),
    progress: () => undefined,
  };
  const own = view.cluster?.nodes.find(({ name }) => name === settings.node)?.pool ?? null;
  const door = own === null ? null : await shutDoor(context, [own.port], holdMs);
  let held = "";
  try {
    await using control = await poolControl(context);
    leads(control);
    const row = await awaitRow(control.pcp, node, context, () => true);
    if (row.status === "up") return `backend ${id} is up already`;
    await clock.sleep(door?.refusal === null ? settleMs : 0, signal);
    await control.pcp.attach(id);
    crashPoint("guard:attached");
    await awaitRow(control.pcp, node, context, ({ status }) => status === "up");
    if (door?.refusal === null) held = `; ${await failbackIsOver(door, context)}`;
  } finally {
    await openDoor(decisionId);
  }
  await awaitOtherPools(node, guard, (status) => status === "up" || status === "waiting");
  return `backend ${id} (${node.name}) is up${held}`;
};
