import { printConfigChange } from "#shared/config-files/config-change.ts";
import { passwordFileHarm } from "#shared/config-files/password-file.ts";
import { newComplaints } from "#shared/config-files/file-complaints.ts";
import { formatOfKind } from "#shared/config-files/file-format.ts";
import { semanticDiff } from "#shared/config-files/semantic-diff.ts";
import { Failure } from "#shared/errors.ts";
import type { DriftAnswer, DriftItem, DriftShown, RuleBreach } from "../api/drift-contract.ts";
import type { CoordinatorPorts } from "../ports.ts";
import type { AlertRecord } from "../store/store.ts";
import { baselineSide, diffLines, driftItem, isUnread } from "./describe-drift.ts";
import { fileStates, isAtBaseline, type WatchedFileState } from "./file-states.ts";
import { findFile } from "./find-file.ts";
import { inForce, settingsOfFile } from "./in-force.ts";
import { clusterOf } from "./cluster-of.ts";

type Ports = Pick<CoordinatorPorts, "store" | "fleet" | "clusterFiles" | "clock">;

/** Everything that is not as accepted, on all nodes or those of one cluster. */
export function listDrift(ports: Ports, cluster: string | null): DriftAnswer {
  const { store, fleet, clusterFiles, clock } = ports;
  const nodes =
    cluster === null
      ? store.agents().map(({ node }) => node)
      : clusterFiles.load(cluster).declaration.nodes.map(({ name }) => name);
  const of = new Set(nodes);
  return {
    at: clock.now(),
    files: nodes.flatMap((node) => driftOf(ports, node)),
    settings: nodes.flatMap((node) =>
      (fleet.agent(node)?.facts?.database.fileSettings ?? []).map((found) => ({ node, ...found })),
    ),
    breaches: store
      .alerts({ open: true })
      .filter(
        ({ rule, node, cause }) =>
          rule !== null && (cluster === null || isOf(cluster, of, node, cause)),
      ) // prettier-ignore
      .map(breach),
    away: nodes.filter((node) => fleet.agent(node)?.connected !== true),
  };
}

function driftOf(ports: Ports, node: string): readonly DriftItem[] {
  const cluster = clusterOf(ports.clusterFiles, node)?.declaration.name ?? null;
  return fileStates(ports.store, node)
    .filter(({ baseline, current }) => !isAtBaseline(current, baseline))
    .map((state) => driftItem(state, cluster));
}

/** A rule between nodes names the cluster in its cause: `rule:CLUSTER:…`. */
function isOf(
  cluster: string,
  nodes: ReadonlySet<string>,
  node: string | null,
  cause: string,
): boolean {
  return (node !== null && nodes.has(node)) || cause.startsWith(`rule:${cluster}:`);
}

/** @throws Failure NOT_FOUND for a file that is as accepted, saying so. */
export function showDrift(ports: Ports, node: string, file: string): DriftShown {
  const state = driftState(ports, node, file);
  const { baseline, current } = state;
  return {
    ...driftItem(state, clusterOf(ports.clusterFiles, node)?.declaration.name ?? null),
    diff: diffLines(current.path, baselineSide(baseline), current),
    changes: meaningOf(state),
    complaints: newComplaints(current, baseline.maskedText),
    settings: settingsOfFile(ports.fleet.agent(node)?.facts ?? null, current.path),
    inForce: inForce(ports.fleet.agent(node)?.facts ?? null, current),
    breaches: ports.store
      .alerts({ open: true })
      .filter((alert) => alert.rule !== null && alert.node === node && alert.file === current.path)
      .map(breach),
    isAway: ports.fleet.agent(node)?.connected !== true,
  };
}

function breach({ id, rule, severity, node, summary }: AlertRecord): RuleBreach {
  return { id, rule, severity, node, summary };
}

/** What the change means, as far as both texts are known. */
function meaningOf({ baseline, current }: WatchedFileState): readonly string[] {
  if (isUnread(current)) return [];
  const harm = passwordFileHarm(current, baseline.owner);
  if (harm !== null) return [harm];
  const before = baseline.hash === null ? "" : baseline.maskedText;
  const after = current.hash === null ? "" : current.maskedText;
  if (before === null || after === null || before === after) return [];
  return semanticDiff(formatOfKind[current.format], before, after).map(printConfigChange);
}

/** @throws Failure NOT_FOUND where nothing differs, with who made it so. */
function driftState({ store }: Pick<Ports, "store">, node: string, file: string): WatchedFileState {
  const path = findFile(store, node, file);
  const state = fileStates(store, node).find(({ baseline }) => baseline.path === path);
  if (state !== undefined && !isAtBaseline(state.current, state.baseline)) return state;
  const accepted = state?.baseline;
  const since =
    accepted === undefined
      ? ""
      : ` (accepted ${new Date(accepted.acceptedAt).toISOString()} by ${accepted.acceptedBy})`;
  throw new Failure("NOT_FOUND", `${path} on ${node} is as accepted${since}.`, {
    hint: `what it was before: castellan file history ${node} ${path}`,
  });
}
