import { Failure } from "#shared/errors.ts";
import type { CheckResult } from "./plan.ts";

/** What an operation looks at before anything is touched. */
export type Check<S> = {
  readonly id: string;
  readonly title: string;
  /** Empty: it is so. */
  readonly wrong: (situation: S) => readonly Wrong[];
  /** Without it the checks after it have nothing to look at. */
  readonly goesFirst?: true;
};

export type Wrong = {
  readonly node: string | null;
  readonly found: string;
  readonly fix: string;
  /** Said, and gone on with. */
  readonly isWarning?: true;
};

/** @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function runChecks<S>(checks: readonly Check<S>[], situation: S): readonly CheckResult[] {
  const results: CheckResult[] = [];
  for (const { id, title, wrong, goesFirst } of checks) {
    const found = wrong(situation);
    if (found.length === 0) {
      results.push({ id, title, node: null, status: "pass", found: "so it is", wanted: title, fix: "" }); // prettier-ignore
    }
    for (const { node, found: what, fix, isWarning } of found) {
      const status = isWarning === true ? "warn" : "fail";
      results.push({ id, title, node, status, found: what, wanted: title, fix });
    }
    if (goesFirst === true && results.some(({ status }) => status === "fail")) break;
  }
  const failed = results.filter(({ status }) => status === "fail");
  const [first] = failed;
  if (first === undefined) return results;
  throw new Failure("PREFLIGHT_FAILED", `Preflight: ${first.found}. Nothing was touched.`, {
    hint: first.fix,
    evidence: failed.map(({ id, found, fix }) => `${id}: ${found}. ${fix}`),
  });
}
