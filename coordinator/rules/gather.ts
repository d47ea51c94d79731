import { causeOf, type Breach, type Evaluation } from "./evaluate.ts";
import type { AlertRecord } from "../store/store.ts";
import type { Rule } from "./rule.ts";
import { ruleTable } from "./table.ts";
import { shortName, type ClusterView } from "./view.ts";

/** A breach as it is alerted. `places` is empty where it is its only one. */
export type AlertedBreach = Breach & { readonly places: readonly string[] };

/** What is mended as one piece of work is one alert for the cluster, which lists its places. */
export function gatherBreaches(
  cluster: string,
  breaches: readonly Breach[],
): readonly AlertedBreach[] {
  const apart = breaches.filter(({ rule }) => rule.isOneAlert !== true);
  const rules = new Set(breaches.flatMap(({ rule }) => (rule.isOneAlert === true ? [rule] : [])));
  return [
    ...apart.map((breach) => ({ ...breach, places: [] })),
    ...[...rules].map((rule) => gathered(cluster, rule, breaches.filter((breach) => breach.rule === rule))), // prettier-ignore
  ];
}

function gathered(cluster: string, rule: Rule, breaches: readonly Breach[]): AlertedBreach {
  const cause = causeOf(cluster, rule.id, null);
  const places = breaches.slice(0, mostPlaces).map(placeOf);
  const nodes = [...new Set(breaches.map(({ node }) => node))];
  const [first, ...others] = breaches;
  if (first === undefined) throw new Error(`${cause} is broken nowhere`);
  if (others.length === 0) return { ...first, cause, places };
  return {
    cause,
    rule,
    node: nodes.length === 1 ? first.node : null,
    file: null,
    line: null,
    found: `not so in ${breaches.length} places on ${nodes.join(", ")}`,
    wanted: rule.wanted,
    fix: rule.fix,
    places: breaches.length <= mostPlaces ? places : [...places, `- and ${breaches.length - mostPlaces} more`], // prettier-ignore
  };
}

const mostPlaces = 50;

function placeOf({ rule, node, file, line, found, wanted, fix }: Breach): string {
  const special = [
    ...(wanted === rule.wanted ? [] : [`; wanted: ${wanted}`]),
    ...(fix === rule.fix ? [] : [`; fix: ${fix}`]),
  ];
  return `${placeStart(node, file ?? "")}${line === null ? "" : `${line}:`} ${found}${special.join("")}`;
}

function placeStart(node: string | null, file: string): string {
  return `- ${node ?? ""} ${file}:`;
}

/** Was all of it looked at now? If so, and nothing breaks its rule any more, it is over. */
export function isSeen(view: ClusterView, evaluation: Evaluation, alert: RuleAlert): boolean {
  const isGathered = ruleTable.some(({ id, isOneAlert }) => id === alert.rule && isOneAlert);
  return isGathered ? !listsUnseen(view, evaluation, alert) : evaluation.isJudged(alert.cause);
}

/** Of what nobody can see now nothing is said: an alert that lists such a place stays as it is. */
export function listsUnseen(
  { declaration, nodes }: ClusterView,
  { isJudged }: Evaluation,
  { rule, detail }: RuleAlert,
): boolean {
  const lines = detail.split("\n");
  const isListed = (start: string): boolean => lines.some((line) => line.startsWith(start));
  return nodes.some(({ name, declared, facts }) =>
    facts === null
      ? isListed(`- ${name} `)
      : facts.files.some(
          ({ path }) =>
            isListed(placeStart(name, path)) &&
            !isJudged(causeOf(declaration.name, rule ?? "", name, shortName(declared, path))),
        ),
  );
}

type RuleAlert = Pick<AlertRecord, "cause" | "rule" | "detail">;
