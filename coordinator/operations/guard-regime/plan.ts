import {
  commentVendorLine,
  parseCron,
  uncommentVendorLine,
  type VendorJob,
} from "#shared/config-files/cron-lines.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { LoadedCluster } from "../../ports.ts";
import type { KnownNode } from "../add-node/situation.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import type { Regime } from "./checks.ts";

export type RegimeInput = {
  readonly regime: Regime;
  readonly cluster: LoadedCluster;
  readonly nodes: readonly KnownNode[];
  readonly checks: readonly CheckResult[];
  /** Of the vendor's; null where the product has no checks of its own. */
  readonly cronFile: string | null;
  /** A handback gives back what a takeover has taken, and no more. */
  readonly takenFrom: readonly string[];
  readonly by: string;
};

const anyState = { systemIdentifier: null, role: null, timeline: null };
const jobs: readonly VendorJob[] = ["network-rewind", "restart-cluster"];

/**
 * Takeover: every line is commented, and every script has ended, before the first guard acts. Handback: the other way
 * round, every guard only observes before the first line comes back.
 */
export function planRegime(input: RegimeInput): Plan {
  const { regime, cluster, nodes, checks, cronFile, takenFrom } = input;
  const isToEdit = ({ declared }: KnownNode): boolean =>
    regime === "takeover" || takenFrom.includes(declared.name);
  const cron =
    cronFile === null ? [] : nodes.filter(isToEdit).map((node) => cronStep(node, cronFile, regime));
  const modes = nodes.map((node) => modeStep(node, input));
  return {
    declaration: cluster.declaration,
    declarationHash: cluster.hash,
    checks,
    forecast: null,
    steps: regime === "takeover" ? [...cron, ...modes] : [...modes, ...cron],
    files: cronFile === null ? [] : nodes.map((node) => plannedFile(node, cronFile)),
    notes: notesOf(input),
  };
}

/** Nothing is left to do there. */
export function isSo({
  regime,
  nodes,
  cronFile,
}: Pick<RegimeInput, "regime" | "nodes" | "cronFile">): boolean {
  return nodes.every((node) => {
    const guard = node.facts?.guard;
    const active = activeJobs(node, cronFile).length;
    return regime === "takeover" && (guard?.lasting ?? guard?.mode) === "enforce" && active === 0;
  });
}

function cronStep(node: KnownNode, cronFile: string, regime: Regime): PlanStep {
  const { name } = node.declared;
  const isTakeover = regime === "takeover";
  const step = { on: name, args: {}, preconditions: anyState, phase: "cron" } as const;
  return isTakeover
    ? {
        ...step,
        id: `take-over-cron/${name}`,
        title: `Comment the vendor's lines on ${name}, and wait until none of its scripts runs`,
        preview: diffOf(node, cronFile, commentVendorLine),
        kind: "take-over-cron",
      }
    : {
        ...step,
        id: `hand-back-cron/${name}`,
        title: `Give the vendor's lines on ${name} back as they were`,
        preview: diffOf(node, cronFile, uncommentVendorLine),
        kind: "hand-back-cron",
      };
}

function modeStep({ declared: { name } }: KnownNode, { regime, by }: RegimeInput): PlanStep {
  const mode = regime === "takeover" ? "enforce" : "observe";
  return {
    id: `set-guard-mode/${name}`,
    phase: "mode",
    title: `Put the guard of ${name} into mode ${mode}`,
    preview: [],
    on: name,
    kind: "set-guard-mode",
    args: { mode, by },
    preconditions: anyState,
  };
}

/** What comes back may be more than the `#`: the root helper has the bytes, and nobody else. */
function diffOf(
  { facts }: KnownNode,
  path: string,
  edit: (text: string, job: VendorJob) => string,
): readonly string[] {
  const text = facts?.files.find((file) => file.path === path)?.maskedText ?? "";
  const after = jobs.reduce((so, job) => edit(so, job), text);
  return text === after
    ? ["nothing is to be changed in the file"]
    : unifiedDiff(text, after, { path }).trimEnd().split("\n");
}

function plannedFile({ declared, facts }: KnownNode, path: string) {
  const hash = facts?.files.find((file) => file.path === path)?.hash ?? null;
  return { node: declared.name, path, hash };
}

function activeJobs({ facts }: KnownNode, cronFile: string | null): readonly VendorJob[] {
  const text = facts?.files.find((file) => file.path === cronFile)?.maskedText ?? null;
  if (text === null) return [];
  const { vendor } = parseCron(text);
  return jobs.filter((job) => vendor[job].lines.some(({ hashes }) => hashes === 0));
}

function notesOf({ regime, nodes, cronFile, takenFrom }: RegimeInput): readonly string[] {
  const left = nodes
    .map(({ declared }) => declared.name)
    .filter((name) => !takenFrom.includes(name));
  return [
    cronFile === null
      ? "The product has no checks of its own in cron: only the mode changes."
      : "cron sees the new file by itself: no service is restarted, and no database.",
    ...(regime === "handback" && cronFile !== null && left.length > 0
      ? [
          `No line of the vendor's on ${left.join(", ")} was commented by a takeover: none becomes active there.`,
        ]
      : []),
    ...(regime === "takeover" && cronFile !== null
      ? ["A line that kingbase_monitor.sh enables again is an alert; the guard holds."]
      : []),
    ...inMaintenance(nodes).map((name) => `${name} is in maintenance: the new mode counts from its end on.`), // prettier-ignore
  ];
}

export function inMaintenance(nodes: readonly KnownNode[]): readonly string[] {
  return nodes
    .filter(({ facts }) => facts?.guard.mode === "maintenance")
    .map(({ declared }) => declared.name);
}
