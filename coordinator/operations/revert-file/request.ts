import { Failure } from "#shared/errors.ts";
import type { RevertAnswer, RevertDriftRequest } from "../../api/drift-contract.ts";
import { agreedState } from "../../drift/accept-drift.ts";
import { clusterOf } from "../../drift/cluster-of.ts";
import { findFile } from "../../drift/find-file.ts";
import type { WatchedFileState } from "../../drift/file-states.ts";
import type { CoordinatorPorts } from "../../ports.ts";
import { refuseConflict } from "../conflict.ts";
import type { StartOperation } from "../start-operation.ts";
import { planRevertFile } from "./plan.ts";

/**
 * Puts a watched file back to what is accepted, as an operation: journaled, resumed, taken back when it fails.
 * @throws Failure NOT_FOUND, NODE_UNREACHABLE, OPERATION_CONFLICT, PLAN_CHANGED, REFUSED
 */
export async function revertFile(
  ports: CoordinatorPorts,
  start: StartOperation,
  { node, file, shown, dryRun, requestedBy }: RevertDriftRequest,
): Promise<RevertAnswer> {
  const path = findFile(ports.store, node, file);
  const cluster = clusterOf(ports.clusterFiles, node);
  if (cluster === null) {
    throw new Failure(
      "NOT_FOUND",
      `No cluster's declaration names ${node}: an operation needs one.`,
      {
        hint: "castellan cluster import NAME",
      },
    );
  }
  const { name } = cluster.declaration;
  if (!dryRun) refuseConflict(ports.store, name);
  await ports.fleet.observe([node]);
  const state = agreedState(ports, node, path, shown);
  refuseWhatIsNoFile(state.current.state, node, path);
  refuseWhatWasNeverRead(state);
  const plan = planRevertFile(cluster, state);
  if (dryRun) return { plan, operation: null };
  const operation = start({
    kind: "revert-file",
    cluster: name,
    subject: node,
    requestedBy,
    plan,
    // One file, whole or as it was: there is nothing to mend by hand in between.
    onFailure: "rollback",
  });
  return { plan, operation };
}

function refuseWhatIsNoFile(state: string, node: string, path: string): void {
  if (state === "present" || state === "absent") return;
  throw new Failure("REFUSED", `${path} on ${node} can't be read (${state}): nobody knows what a revert would lose.`, {
    hint: "Look at it on that host, and move it away; then it is gone, and a revert makes it again.",
  }); // prettier-ignore
}

function refuseWhatWasNeverRead({ baseline, current }: WatchedFileState): void {
  if (current.format !== "pass" || baseline.hash === current.hash) return;
  throw new Failure("REFUSED", `${current.path} on ${current.node} holds passwords and was never read: only its mode and owner can be put back.`, {
    hint: baseline.hash === null
      ? "Remove it by hand on that host, or accept it."
      : `Make it again by hand on that host, with chmod 0600 ${current.path}, or accept that it is gone.`,
  }); // prettier-ignore
}
