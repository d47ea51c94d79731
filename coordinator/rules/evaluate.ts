import type { ClusterView } from "./view.ts";
import type { Finding, Rule } from "./rule.ts";
import { ruleTable } from "./table.ts";

/** A broken rule, as its alert tells it. */
export type Breach = {
  readonly cause: string;
  readonly rule: Rule;
  readonly node: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly found: string;
  readonly wanted: string;
  readonly fix: string;
};

export type Evaluation = {
  readonly breaches: readonly Breach[];
  /** Was this cause's rule judged there now? If so, and it is no breach, it is over. */
  readonly isJudged: (cause: string) => boolean;
};

/** Every rule that applies, on what can be seen now. */
export function evaluateRules(view: ClusterView, rules: readonly Rule[] = ruleTable): Evaluation {
  const cluster = view.declaration.name;
  const breaches: Breach[] = [];
  const judged: string[] = [];
  for (const rule of rules) {
    if (!applies(rule, view)) {
      judged.push(causeOf(cluster, rule.id, null));
      continue;
    }
    for (const { node, part, findings } of rule.check(view)) {
      judged.push(causeOf(cluster, rule.id, node, part ?? undefined));
      for (const finding of findings.slice(0, mostFindings)) {
        breaches.push(breachOf(cluster, rule, node, finding));
      }
    }
    for (const { name, goneFiles } of view.nodes) {
      for (const file of goneFiles) judged.push(causeOf(cluster, rule.id, name, file));
    }
  }
  const nodes = new Set(view.nodes.map(({ name }) => name));
  const known = new Set(rules.map(({ id }) => id));
  return {
    breaches,
    isJudged: (cause) => {
      const [, , rule = "", node] = cause.split(":");
      // A rule of an older version, a node that is not declared any more.
      if (!known.has(rule) || (node !== undefined && !nodes.has(node))) return true;
      return judged.some(
        (whole) =>
          cause === whole || cause.startsWith(`${whole}:`) || cause.startsWith(`${whole} `),
      );
    },
  };
}

/** `rule:CLUSTER:ID[:NODE[:KEY]]` */
export function causeOf(cluster: string, rule: string, node: string | null, key?: string): string {
  const place = node === null ? "" : `:${node}${key === undefined ? "" : `:${key}`}`;
  return cut(`${rulePrefix(cluster)}${rule}${place}`, mostCause);
}

export function rulePrefix(cluster: string): string {
  return `rule:${cluster}:`;
}

/** A file gone wrong as a whole must not fill the journal. */
const mostFindings = 50;
const mostCause = 500;
const mostText = 2_000;

function applies({ needs }: Rule, { product, declaration }: ClusterView): boolean {
  const has = { vendor: product.vendor !== null, pool: declaration.pool !== "none" };
  return needs.every((need) => has[need]);
}

function breachOf(cluster: string, rule: Rule, node: string | null, finding: Finding): Breach {
  const { key, file = null, line = null, found, wanted = rule.wanted, fix = rule.fix } = finding;
  return {
    cause: causeOf(cluster, rule.id, node, key),
    rule,
    node,
    file,
    line,
    found: cut(found, mostText),
    wanted: cut(wanted, mostText),
    fix: cut(fix, mostText),
  };
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}
