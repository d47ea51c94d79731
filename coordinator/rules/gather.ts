import { causeOf, type Breach, type Evaluation } from "./evaluate.ts";
import type { AlertRecord } from "../store/store.ts";
import type { Rule } from "./rule.ts";
import { ruleTable } from "./table.ts";
import { shortName, type ClusterView } from "./view.ts";

/** A breach as it is alerted. `places` is empty where it is its only one. */
export type AlertedBreach = Breach & { readonly places: readonly string[] };

/** What is mended as one piece of work is one alert for the cluster, which lists its places; of one that stands, also the `unseen`. */
export function gatherBreaches(
  cluster: string,
  breaches: readonly Breach[],
  unseen: (cause: string) => readonly string[],
): readonly AlertedBreach[] {
  const apart = breaches.filter(({ rule }) => rule.isOneAlert !== true);
  const rules = new Set(breaches.flatMap(({ rule }) => (rule.isOneAlert === true ? [rule] : [])));
  return [
    ...apart.map((breach) => ({ ...breach, places: [] })),
    ...[...rules].map((rule) => {
      const cause = causeOf(cluster, rule.id, null);
      return gathered(cause, rule, breaches.filter((breach) => breach.rule === rule), unseen(cause)); // prettier-ignore
    }),
  ];
}

function gathered(
  cause: string,
  rule: Rule,
  breaches: readonly Breach[],
  unseen: readonly string[],
): AlertedBreach {
  const places = [...unseen, ...breaches.map(placeOf)];
  const nodes = [
    ...new Set([...unseen.map(nodeOfPlace), ...breaches.map(({ node }) => node ?? "")]),
  ];
  const [first] = breaches;
  if (first === undefined) throw new Error(`${cause} is broken nowhere`);
  if (places.length === 1) return { ...first, cause, places };
  return {
    cause,
    rule,
    node: nodes.length === 1 ? first.node : null,
    file: null,
    line: null,
    found: `not so in ${places.length} places on ${nodes.join(", ")}`,
    wanted: rule.wanted,
    fix: rule.fix,
    places: places.length <= mostPlaces ? places : [...places.slice(0, mostPlaces), `- and ${places.length - mostPlaces} more`], // prettier-ignore
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

/** `- NODE FILE:LINE: …` */
function nodeOfPlace(place: string): string {
  return place.split(" ", 2)[1] ?? "";
}

/** Was all of it looked at now? If so, and nothing breaks its rule any more, it is over. */
export function isSeen(view: ClusterView, evaluation: Evaluation, alert: RuleAlert): boolean {
  const isGathered = ruleTable.some(({ id, isOneAlert }) => id === alert.rule && isOneAlert);
  return isGathered
    ? unseenPlaces(view, evaluation, alert).length === 0
    : evaluation.isJudged(alert.cause);
}

/** Of what nobody can see now nothing is said: these places stay in the alert's list. */
export function unseenPlaces(
  { declaration, nodes }: ClusterView,
  { isJudged }: Evaluation,
  { rule, detail }: RuleAlert,
): readonly string[] {
  const lines = detail.split("\n");
  const listed = (start: string): readonly string[] =>
    lines.filter((line) => line.startsWith(start));
  return nodes.flatMap(({ name, declared, facts }) =>
    facts === null
      ? listed(`- ${name} `)
      : facts.files
          .filter(
            ({ path }) =>
              !isJudged(causeOf(declaration.name, rule ?? "", name, shortName(declared, path))),
          )
          .flatMap(({ path }) => listed(placeStart(name, path))),
  );
}

type RuleAlert = Pick<AlertRecord, "cause" | "rule" | "detail">;
