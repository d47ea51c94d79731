import { newComplaints } from "#shared/config-files/file-complaints.ts";
import { Failure } from "#shared/errors.ts";
import type { AcceptDriftRequest, DriftAccepted } from "../api/drift-contract.ts";
import { createEvents } from "../events.ts";
import { alertCause } from "../hub/host-events.ts";
import type { CoordinatorPorts } from "../ports.ts";
import { baselineSide, diffLines, isUnread } from "./describe-drift.ts";
import { fileStates, isAtBaseline, shownHash, type WatchedFileState } from "./file-states.ts";
import { findFile } from "./find-file.ts";

/**
 * What stands on the host becomes the baseline: looked at anew, and only if it is what was shown. Of two operators who
 * accept the same one the second hears who was first.
 * @throws Failure NOT_FOUND, NODE_UNREACHABLE, PLAN_CHANGED, OPERATION_CONFLICT, REFUSED
 */
export async function acceptDrift(
  ports: CoordinatorPorts,
  { node, file, shown, force, requestedBy }: AcceptDriftRequest,
): Promise<DriftAccepted> {
  const { store, fleet, clock, log } = ports;
  const path = findFile(store, node, file);
  await fleet.observe([node]);
  // Nothing is waited for from here on: nobody can come between this look and the write.
  const state = agreedState(ports, node, path, shown);
  refuseWhileReverted(ports, node, path);
  const { baseline, current } = state;
  if (isUnread(current)) {
    throw new Failure("REFUSED", `${path} on ${node} can't be read: there is nothing to accept.`, {
      hint: "Make it a readable file again, or remove it.",
    });
  }
  const complaints = newComplaints(current, baseline.maskedText).filter(
    ({ isDoubt }) => isDoubt !== true,
  );
  if (complaints.length > 0 && !force) {
    throw new Failure("REFUSED", `${path} on ${node} can't be parsed any more.`, {
      hint: "Mend it, or accept it all the same with --force.",
      evidence: complaints.map((c) => `${c.file}:${c.line}:${c.column}: ${c.message}`),
    });
  }
  const { hash, mode, owner, maskedText } = current;
  store.setBaseline({ node, path, hash, mode, owner, maskedText, acceptedBy: requestedBy }, clock.now()); // prettier-ignore
  createEvents(store, log, clock).emit(
    "baseline:accepted",
    { node },
    { path, hash, why: `by ${requestedBy}` },
  );
  store.resolveAlert(alertCause(node, `file:${path}`), clock.now());
  fleet.tellBaselines(node);
  const diff = diffLines(path, baselineSide(baseline), current);
  return { node, path, acceptedBy: requestedBy, diff };
}

/**
 * The difference that a person agreed to (null: whichever there is).
 * @throws Failure OPERATION_CONFLICT where somebody was first, PLAN_CHANGED with the difference of now.
 */
export function agreedState(
  { store }: Pick<CoordinatorPorts, "store">,
  node: string,
  path: string,
  shown: string | null,
): WatchedFileState {
  const state = fileStates(store, node).find(({ baseline }) => baseline.path === path);
  if (state === undefined) {
    throw new Failure(
      "NOT_FOUND",
      `${path} on ${node} was never accepted: nothing to compare with.`,
    );
  }
  const { baseline, current } = state;
  if (isAtBaseline(current, baseline)) {
    const at = new Date(baseline.acceptedAt).toISOString();
    throw new Failure("OPERATION_CONFLICT", `${path} on ${node} is as accepted: by ${baseline.acceptedBy}, ${at}.`, {
      hint: `castellan file history ${node} ${path}`,
    }); // prettier-ignore
  }
  const now = shownHash(state);
  if (shown === null || shown === now) return state;
  throw new Failure("PLAN_CHANGED", `${path} on ${node} is not what was shown: that was ${shown}, now it is ${now}. Nothing was touched.`, {
    hint: `Look at it as it is now; then repeat the command with --hash ${now}.`,
    evidence: diffLines(path, baselineSide(baseline), current),
  }); // prettier-ignore
}

/** A revert under way makes it what is accepted: that may not move. */
function refuseWhileReverted({ store }: CoordinatorPorts, node: string, path: string): void {
  const revert = store
    .operations({ unfinished: true })
    .find(({ plan }) =>
      plan.steps.some((s) => s.kind === "restore-file" && s.on === node && s.args.path === path),
    );
  if (revert === undefined) return;
  throw new Failure("OPERATION_CONFLICT", `${path} on ${node} is being reverted by ${revert.requestedBy} (${revert.id}, ${revert.state}).`, {
    hint: `castellan operation watch ${revert.id}`,
  }); // prettier-ignore
}
