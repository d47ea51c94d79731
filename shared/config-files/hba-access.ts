import type { HbaRule as WantedRule } from "../domain/commands.ts";
import { parseHba, type HbaConf } from "./hba.ts";
import { appendRules, missingRules, printHbaRule, removeRules } from "./hba-edit.ts";
import { firstMatch, type HbaMatch, type HbaQuery } from "./hba-match.ts";
import { applyEdits, lineEnding, removeLines, splitLines } from "./text-file.ts";

export type HbaOptions = { readonly continuations: boolean };

/** PostgreSQL 14 joins a line that ends in a backslash with the next one (release notes). */
export function joinsLines(versionNumber: number): boolean {
  return versionNumber >= 140_000;
}

/** The comment above the lines of one operation, by which undo finds them. */
export function hbaMarker(operationId: string): string {
  return `castellan ${operationId}`;
}

/** A wanted rule, and the line that decides about its login today (null: none, the server refuses). */
export type HbaVerdict = {
  readonly rule: WantedRule;
  readonly match: HbaMatch | null;
  readonly works: boolean;
};

/** Methods that a login with a password gets through; `sha-256` is KingbaseES' own (public sample file, B0290). */
const passwordMethods: ReadonlySet<string> = new Set([
  "md5",
  "scram-sha-256",
  "sha-256",
  "password",
  "trust",
]);

/** What becomes of each wanted login by the file as it is: the first line that matches decides. */
export function judgeRules(
  text: string,
  rules: readonly WantedRule[],
  options: HbaOptions,
): readonly HbaVerdict[] {
  const conf = parseHba(text, options);
  return rules.map((rule) => {
    const match = firstMatch(conf, queryOf(rule));
    const works =
      match !== null &&
      match.undecidable === null &&
      match.rule !== null &&
      (match.rule.method === rule.method || passwordMethods.has(match.rule.method)) &&
      coversAll(conf, match, rule);
    return { rule, match, works };
  });
}

/**
 * Adds what does not work yet, under `# marker`: at the end, or before the first line that would take such a login
 * away (a reject, another method, or a line of which nobody can say whom it matches).
 */
export function insertRules(
  text: string,
  rules: readonly WantedRule[],
  marker: string,
  options: HbaOptions,
): string {
  const broken = judgeRules(text, rules, options).filter((verdict) => !verdict.works);
  const captured = broken.filter((verdict) => verdict.match !== null);
  const first = Math.min(...captured.map(({ match }) => match?.line ?? Number.POSITIVE_INFINITY));
  const before = captured.map(({ rule }) => rule);
  const atEnd = broken.filter((verdict) => verdict.match === null).map(({ rule }) => rule);
  const appended = appendRules(text, missingRules(text, atEnd), marker);
  if (before.length === 0) return appended;
  const start = parseHba(appended, options).lines[first - 1]?.start ?? 0;
  const lines = [`# ${marker}`, ...before.map(printHbaRule)];
  const block = lines.map((line) => line + lineEnding(text)).join("");
  return applyEdits(appended, [{ start, end: start, text: block }]);
}

/**
 * The inverse: our lines, and the comment above them wherever it stands. (`removeRules` keeps a marker while a rule
 * follows it, and the line after ours may be anyone's.)
 */
export function takeOutRules(text: string, rules: readonly WantedRule[], marker: string): string {
  const cleaned = removeRules(text, rules, marker);
  const markers = splitLines(cleaned).filter((line) => line.text.trim() === `# ${marker}`);
  return removeLines(cleaned, new Set(markers.map((line) => line.number)));
}

/** The login that a rule is about, from its address (of a network: its first one). */
function queryOf(rule: WantedRule): HbaQuery {
  const replication = rule.database === "replication";
  return {
    type: "host",
    // "all" asks for no particular one: a name that only "all" and itself match.
    database: rule.database === "all" ? "castellan-any" : rule.database,
    user: rule.user === "all" ? "castellan-any" : rule.user,
    address: rule.address.split("/")[0] ?? rule.address,
    replication,
    ssl: rule.type === "hostssl",
  };
}

/** A single address is decided by one line; for a network only a line as wide will do. */
function coversAll(conf: HbaConf, match: HbaMatch, rule: WantedRule): boolean {
  const isHost = rule.address.endsWith(rule.address.includes(":") ? "/128" : "/32");
  if (isHost) return true;
  const found = conf.rules.find((candidate) => candidate.line === match.line);
  if (found?.address?.kind === "all") return true;
  return found?.address?.kind === "range" && found.address.text === rule.address;
}
