import { goesOn, type HbaConf, type HbaRule, hbaRuleKey, type HbaType, parseHba } from "./hba.ts";
import { appendLines, applyEdits, lineEnding, removeLines, splitLines } from "./text-file.ts";

/** A rule to write. A database or user named like a keyword is given with its quotes: `"all"`. */
export type HbaRuleInput = {
  readonly type: HbaType;
  readonly database: string;
  readonly user: string;
  /** `192.168.4.159/32`, `samenet`, a host name; absent for `local`. */
  readonly address?: string;
  readonly method: string;
};

/**
 * Appends the rules that the file doesn't have yet, under `# marker` when one is given. With a marker the undo is exact:
 * `removeRules` with the same marker takes out these lines and never an equal line that someone else wrote.
 */
export function appendRules(text: string, rules: readonly HbaRuleInput[], marker?: string): string {
  const missing = missingRules(text, rules);
  if (missing.length === 0) return text;
  assertMarker(marker);
  const printed = missing.map(printHbaRule);
  const heading = marker === undefined ? [] : [`# ${marker}`];
  return insertLines(text, [...heading, ...printed]);
}

/**
 * Takes out the rules: with a marker only where they stand right under it (and the marker's line once it has no rule
 * left), otherwise the last line that equals each.
 */
export function removeRules(text: string, rules: readonly HbaRuleInput[], marker?: string): string {
  assertMarker(marker);
  const wanted = new Set(rules.map((rule) => keyOfInput(rule)));
  const conf = parseHba(text);
  const doomed = new Set<number>();
  if (marker === undefined) {
    for (const key of wanted) {
      const rule = conf.rules.findLast((candidate) => hbaRuleKey(candidate) === key);
      if (rule !== undefined) addLines(doomed, rule);
    }
  } else {
    for (const block of markedBlocks(conf, marker)) {
      const going = block.rules.filter((rule) => wanted.has(hbaRuleKey(rule)));
      for (const rule of going) addLines(doomed, rule);
      if (going.length === block.rules.length) doomed.add(block.line);
    }
  }
  return removeLines(text, doomed);
}

/** The rules that no line of the file equals. */
export function missingRules(
  text: string,
  rules: readonly HbaRuleInput[],
): readonly HbaRuleInput[] {
  const present = new Set(parseHba(text).rules.map(hbaRuleKey));
  return rules.filter((rule) => {
    const key = keyOfInput(rule);
    if (present.has(key)) return false;
    present.add(key);
    return true;
  });
}

/** `host    replication    SYSTEM    192.168.4.159/32    md5` */
export function printHbaRule(rule: HbaRuleInput): string {
  const names = [quoteHbaName(rule.database), quoteHbaName(rule.user)];
  const address = rule.address === undefined ? [] : [rule.address];
  const line = [rule.type, ...names, ...address, rule.method].join("    ");
  const [parsed, ...others] = parseHba(line).rules;
  const asMeant =
    parsed !== undefined &&
    others.length === 0 &&
    parsed.databases.length === 1 &&
    parsed.users.length === 1 &&
    parsed.method === rule.method &&
    parsed.options.length === 0;
  if (!asMeant)
    throw new RangeError(`${JSON.stringify(line)} would not be the rule that was meant`);
  return line;
}

/** Quotes a name only where the file's grammar would take it for something else. */
function quoteHbaName(name: string): string {
  if (/^"(?:[^"\r\n]|"")*"$/.test(name)) return name;
  if (/[\r\n]/.test(name))
    throw new RangeError(`${JSON.stringify(name)} can't stand in an hba file`);
  if (name !== "" && !/[\s",#\\]/.test(name) && !/^[@+/]/.test(name)) return name;
  return `"${name.replaceAll('"', '""')}"`;
}

type MarkedBlock = { readonly line: number; readonly rules: readonly HbaRule[] };

function markedBlocks(conf: HbaConf, marker: string): readonly MarkedBlock[] {
  const byLine = new Map(conf.rules.map((rule) => [rule.line, rule]));
  const blocks: MarkedBlock[] = [];
  for (const line of conf.lines) {
    if (line.text.trim() !== `# ${marker}`) continue;
    const rules: HbaRule[] = [];
    let next = line.number + 1;
    for (let rule = byLine.get(next); rule !== undefined; rule = byLine.get(next)) {
      rules.push(rule);
      next = rule.endLine + 1;
    }
    blocks.push({ line: line.number, rules });
  }
  return blocks;
}

function addLines(doomed: Set<number>, rule: HbaRule): void {
  for (let line = rule.line; line <= rule.endLine; line += 1) doomed.add(line);
}

/**
 * At the end, except that a last line which ends in a backslash would swallow what follows: then before that line.
 */
function insertLines(text: string, added: readonly string[]): string {
  const lines = splitLines(text);
  let index = lines.length - 1;
  if (!goesOn(lines[index])) return appendLines(text, added);
  while (goesOn(lines[index - 1])) index -= 1;
  const at = lines[index]?.start ?? 0;
  const block = added.map((line) => line + lineEnding(text)).join("");
  return applyEdits(text, [{ start: at, end: at, text: block }]);
}

function assertMarker(marker: string | undefined): void {
  if (marker === undefined) return;
  if (marker.trim() !== marker || marker === "" || /[\r\n\\]/.test(marker)) {
    throw new RangeError(`${JSON.stringify(marker)} can't be a marker comment`);
  }
}

function keyOfInput(rule: HbaRuleInput): string {
  const parsed = parseHba(printHbaRule(rule)).rules[0];
  return parsed === undefined ? "" : hbaRuleKey(parsed);
}
