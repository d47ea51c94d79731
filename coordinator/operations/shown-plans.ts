import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { Failure } from "#shared/errors.ts";
import { printBytes } from "./add-node/print-units.ts";
import { canonicalStep, planDigest } from "./plan-digest.ts";
import type { Plan, PlannedFile } from "./plan.ts";

/** A plan with the texts that it was made from, masked: so that it can be said what has changed since. */
type ShownPlan = {
  readonly plan: Plan & { readonly digest: string };
  readonly declarationFile: string;
  readonly declarationYaml: string;
  /** By `node:path`; null where there was none, or its content never leaves the host. */
  readonly texts: ReadonlyMap<string, string | null>;
};

/** Plans that were shown lately, by digest: in memory alone, a restart of the coordinator forgets them. */
export type ShownPlans = {
  remember(shown: ShownPlan): void;
  find(digest: string): ShownPlan | null;
};

export function createShownPlans(most = 16): ShownPlans {
  const plans = new Map<string, ShownPlan>();
  return {
    remember: (shown) => {
      plans.delete(shown.plan.digest);
      plans.set(shown.plan.digest, shown);
      for (const oldest of [...plans.keys()].slice(0, -most)) plans.delete(oldest);
    },
    find: (digest) => plans.get(digest) ?? null,
  };
}

export type PlanSource = {
  readonly declarationFile: string;
  readonly declarationYaml: string;
  readonly nodes: readonly {
    readonly declared: { readonly name: string };
    readonly facts: NodeFacts | null;
  }[];
};

/**
 * The plan with its digest, if it is the one that was agreed to; what a dry run shows is remembered.
 * @throws Failure PLAN_CHANGED with what differs.
 */
export function agreedPlan(
  plans: ShownPlans,
  cluster: string,
  made: Plan,
  { declarationFile, declarationYaml, nodes }: PlanSource,
  asked: { readonly plan: string | null; readonly dryRun: boolean },
): Plan {
  const plan = { ...made, digest: planDigest(cluster, made) };
  const texts = (plan.files ?? []).map(({ node, path }) => {
    const facts = nodes.find(({ declared }) => declared.name === node)?.facts;
    const file = facts?.files.find((candidate) => candidate.path === path);
    return [`${node}:${path}`, file?.maskedText ?? null] as const;
  });
  const shown = { plan, declarationFile, declarationYaml, texts: new Map(texts) };
  if (asked.plan !== null && asked.plan !== plan.digest) refuseOther(plans, asked.plan, shown);
  if (asked.dryRun) plans.remember(shown);
  return plan;
}

function refuseOther(plans: ShownPlans, agreed: string, now: ShownPlan): never {
  const { digest } = now.plan;
  const then = plans.find(agreed);
  plans.remember(now);
  throw new Failure(
    "PLAN_CHANGED",
    `The plan is not the one that was shown: that was ${agreed}, made now it is ${digest}. Nothing was touched.`,
    {
      hint: `Look at what changed. To run the plan as it is now, repeat the command with --plan ${digest}; all of it: --dry-run.`,
      evidence: then === null ? unknownPlan(agreed, now) : differences(then, now),
    },
  );
}

/** What changed between two plans for the same request, as lines for people. */
function differences(then: ShownPlan, now: ShownPlan): readonly string[] {
  return [
    ...premiseChange(then.plan, now.plan),
    ...budgetChange(then.plan, now.plan),
    ...declarationChange(then, now),
    ...fileChanges(then, now),
    ...stepChanges(then.plan, now.plan),
  ];
}

function unknownPlan(agreed: string, { plan }: ShownPlan): readonly string[] {
  return [
    `What ${agreed} was is not known here any more; the plan as it is now:`,
    ...plan.steps.flatMap((step) => [`${step.id}: ${step.title}`, ...indent(step.preview)]),
  ];
}

function premiseChange({ premise: then }: Plan, { premise: now }: Plan): readonly string[] {
  if (then === undefined || now === undefined) return [];
  const told = ({ primary, timeline }: typeof then): string =>
    `${primary} (timeline ${timeline ?? "unknown"})`;
  return told(then) === told(now) ? [] : [`The primary was ${told(then)}; it is ${told(now)} now.`];
}

function budgetChange(
  { walBudgetLimit: then }: Plan,
  { walBudgetLimit: now }: Plan,
): readonly string[] {
  if (then === undefined || now === undefined || then === now) return [];
  return [
    `Its slot was to hold back at most ${printBytes(then)} of WAL; now that is ${printBytes(now)}.`,
  ];
}

function declarationChange(then: ShownPlan, now: ShownPlan): readonly string[] {
  if (then.plan.declarationHash === now.plan.declarationHash) return [];
  const path = now.declarationFile;
  return [
    `${path} was edited meanwhile:`,
    ...diff(path, then.declarationYaml, now.declarationYaml),
  ];
}

function fileChanges(then: ShownPlan, now: ShownPlan): readonly string[] {
  const hashes = (files: readonly PlannedFile[] = []) =>
    new Map(files.map(({ node, path, hash }) => [`${node}:${path}`, hash]));
  const before = hashes(then.plan.files);
  const after = hashes(now.plan.files);
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((place) => {
    const [was, is] = [before.get(place), after.get(place)];
    if (was === is) return [];
    if (is === undefined) return [`${place} is no longer part of it, or can't be read any more.`];
    if (was === undefined) return [`${place} is part of it now.`];
    if (is === null) return [`${place} is gone.`];
    if (was === null) return [`${place} is there now.`];
    const path = place.slice(place.indexOf(":") + 1);
    const lines = diff(path, then.texts.get(place) ?? "", now.texts.get(place) ?? "");
    return [
      `${place} was edited meanwhile${lines.length === 0 ? ": in what is never shown (a secret)" : ":"}`,
      ...lines,
    ];
  });
}

function stepChanges(then: Plan, now: Plan): readonly string[] {
  const before = new Map(then.steps.map((step) => [step.id, canonicalStep(step)]));
  const after = new Set(now.steps.map(({ id }) => id));
  const gone = then.steps.filter(({ id }) => !after.has(id));
  const changed = now.steps.filter((step) => before.get(step.id) !== canonicalStep(step));
  return [
    ...gone.map(({ id, title }) => `Step ${id} is no longer there: ${title}`),
    ...changed.flatMap((step) => [
      `Step ${step.id} is now: ${step.title}`,
      ...indent(step.preview),
    ]),
  ];
}

function diff(path: string, before: string, after: string): readonly string[] {
  const text = unifiedDiff(before, after, { path });
  return text === "" ? [] : indent(text.trimEnd().split("\n"));
}

function indent(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`);
}
