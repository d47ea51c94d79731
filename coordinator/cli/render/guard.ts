import type { GuardFacts } from "#shared/domain/facts.ts";
import type { GuardAnswer, MaintenanceAnswer, NodeGuard } from "../../api/guard-contract.ts";
import { bySeverity } from "./severity.ts";
import { indent } from "./table.ts";
import { renderTime } from "./units.ts";
import { wrap } from "./wrap.ts";

/** Of a terminal that nobody has widened, less what stands before. */
const width = 62;

export function renderGuards({ clusters }: GuardAnswer): readonly string[] {
  if (clusters.length === 0) return ["No cluster is declared."];
  return clusters
    .flatMap(({ name, problem, nodes }) => [
      name,
      ...(problem === null ? [] : [`  ${problem}`]),
      ...nodes.flatMap((node) => indent(nodeLines(node), "  ")),
      "",
    ])
    .slice(0, -1);
}

export function renderMaintenance({ nodes }: MaintenanceAnswer): readonly string[] {
  return nodes.flatMap(({ node, guard, failure }) => {
    if (failure !== null) {
      const next = failure.hint === null ? [] : [`  next: ${failure.hint}`];
      return [`${node}: as it was: ${failure.message}`, ...next];
    }
    if (guard === null) return [];
    return [
      guard.mode === "maintenance"
        ? `${node}: ${modeText(guard.mode, guard)}; alerts of its guard are muted until then`
        : `${node}: ${guard.mode}`,
    ];
  });
}

function nodeLines(status: NodeGuard): readonly string[] {
  const { node, agent, lastSeenAt, guard } = status;
  if (guard === null) {
    const since = lastSeenAt === null ? "" : ` since ${renderTime(lastSeenAt)}`;
    return [agent === "not-joined" ? `${node}  no agent has joined` : `${node}  its agent is away${since}`]; // prettier-ignore
  }
  const failed = guard.checks.filter((check) => check.lastResult?.startsWith("failed: ") === true);
  return [
    `${node}  ${modeText(guard.mode, guard.maintenance ?? null)}`,
    ...vendorText(status),
    ...reservedLines(guard.reserved ?? []),
    ...bySeverity(guard.findings).flatMap(
      ({ rule, severity, since, evidence, next, ...finding }) => [
        `  ${severity}  ${rule} since ${renderTime(since)}`,
        ...labelled("seen", evidence),
        ...finding.would.flatMap((what, i) =>
          labelled(i > 0 ? "" : guard.mode === "enforce" ? "does" : "would", what),
        ),
        ...(finding.progress === undefined ? [] : labelled("now", finding.progress)),
        ...(next === undefined ? [] : labelled("next", next)),
      ],
    ),
    ...(guard.nearMisses ?? []).flatMap(({ rule, evidence, missing }) => [
      `  nearly  ${rule}`,
      ...labelled("seen", evidence),
      ...labelled("missing", missing),
    ]),
    `  ${guard.checks.length} checks${failed.length === 0 ? ", none failed" : ""}`,
    ...failed.flatMap(({ name, lastResult }) => labelled(name, lastResult ?? "")),
    ...lastDecision(status),
  ];
}

function vendorText({ guard, vendorLines }: NodeGuard): readonly string[] {
  const isLine = vendorLines.some(({ state }) => state === "active" || state === "twice");
  const running = isLine ? null : (guard?.vendorAtWork ?? null);
  return [
    ...vendorLines.flatMap(({ script, state, places }, i) =>
      labelled(i === 0 ? "vendor" : "", [`${script} ${state}`, ...places].join(" ")),
    ),
    ...(running === null ? [] : labelled("at work", running)),
  ];
}

function lastDecision({ lastDecision: last }: NodeGuard): readonly string[] {
  if (last === null) return [];
  return labelled("last", `${renderTime(last.at)} ${last.rule}: ${last.outcome}, because ${last.because}`); // prettier-ignore
}

function reservedLines(reserved: NonNullable<GuardFacts["reserved"]>): readonly string[] {
  const by = [...new Set(reserved.map((each) => each.by))];
  return by.flatMap((who) => {
    const classes = reserved.filter((each) => each.by === who).map((each) => each.class);
    return labelled("left", `${classes.join(", ")} to ${who}`);
  });
}

function modeText(mode: GuardFacts["mode"], maintenance: GuardFacts["maintenance"] | null): string {
  if (mode !== "maintenance" || maintenance == null) return mode;
  const { until, by, note } = maintenance;
  return `maintenance until ${renderTime(until)}, by ${by ?? "?"}${note === null ? "" : ` (${note})`}`;
}

function labelled(label: string, text: string): readonly string[] {
  return wrap(text, width).map((line, i) => `    ${(i === 0 ? label : "").padEnd(8)} ${line}`);
}
