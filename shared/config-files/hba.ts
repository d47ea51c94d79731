import { type HbaAddress, type HbaProblem, readHbaAddress } from "./hba-address.ts";
import { readHbaFields, type HbaField, type HbaToken } from "./hba-fields.ts";
import { methodProblem } from "./hba-method.ts";
import { byteOrderMark, type Complaint, type Line, splitLines } from "./text-file.ts";

/** sys_hba.conf, pg_hba.conf, cluster_hba.conf, pool_hba.conf. */
export type HbaConf = {
  readonly file: string;
  readonly lines: readonly Line[];
  /** In file order. The first one that matches a connection decides. */
  readonly rules: readonly HbaRule[];
  /** `include`, `include_if_exists`, `include_dir` (PostgreSQL 16): the rules there aren't known here. */
  readonly includes: readonly { readonly line: number; readonly text: string }[];
  readonly complaints: readonly Complaint[];
};

const hbaTypes = ["local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"] as const;
export type HbaType = (typeof hbaTypes)[number];

export type HbaRule = {
  readonly type: HbaType;
  readonly databases: readonly HbaToken[];
  readonly users: readonly HbaToken[];
  /** Null for `local`. */
  readonly address: HbaAddress | null;
  readonly method: string;
  /** As written: `map=cluster`. */
  readonly options: readonly string[];
  readonly line: number;
  /** Differs from `line` where lines are continued with a backslash. */
  readonly endLine: number;
  readonly column: number;
};

export type HbaParseOptions = {
  readonly file?: string;
  /** PostgreSQL 14 and later join a line that ends in a backslash with the next one; older servers don't. */
  readonly continuations?: boolean;
};

/** `host replication SYSTEM 192.168.4.159/32 md5` gives one rule whose address is a range. */
export function parseHba(text: string, options: HbaParseOptions = {}): HbaConf {
  const { file = "", continuations = true } = options;
  const lines = splitLines(text);
  const rules: HbaRule[] = [];
  const includes: { line: number; text: string }[] = [];
  const complaints: Complaint[] = [];
  if (text.startsWith(byteOrderMark)) {
    const message = "the file starts with a byte order mark, which becomes part of the first word";
    const hint = "Save it without a byte order mark.";
    complaints.push({ file, line: 1, column: 1, message, hint });
  }
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    if (line === undefined) break;
    const pieces: string[] = [];
    while (continuations && goesOn(lines[index])) {
      pieces.push(withoutReturns(lines[index]).slice(0, -1));
      index += 1;
    }
    const content = pieces.join("") + withoutReturns(lines[index]);
    const fields = readHbaFields(content);
    const first = fields[0];
    if (first === undefined) continue;
    const firstWord = first.tokens[0]?.value ?? "";
    if (fields.length === 2 && /^include(?:_if_exists|_dir)?$/.test(firstWord)) {
      includes.push({ line: line.number, text: content.trim() });
      continue;
    }
    const rule = readRule(fields);
    const endLine = Math.min(index + 1, lines.length);
    const place = { line: line.number, endLine, column: first.at + 1 };
    if (rule.kind === "rule") {
      rules.push({ ...rule.rule, ...place });
    } else {
      const { message, hint } = rule;
      complaints.push({ file, line: line.number, column: rule.at + 1, message, hint });
    }
  }
  return { file, lines, rules, includes, complaints };
}

/** Whether a server from PostgreSQL 14 on joins this line with the next one. */
export function goesOn(line: Line | undefined): boolean {
  return withoutReturns(line).endsWith("\\");
}

/** The server drops every carriage return at the end of a line, not only one. */
function withoutReturns(line: Line | undefined): string {
  const text = line?.text ?? "";
  let end = text.length;
  while (text[end - 1] === "\r") end -= 1;
  return text.slice(0, end);
}

/** Equal for rules that mean the same, whatever blanks stand between the fields. */
export function hbaRuleKey(rule: HbaRule): string {
  const { type, databases, users, address, method, options } = rule;
  const place = address?.kind === "range" ? address.text : address;
  return JSON.stringify([type, databases, users, place, method, options]);
}

type ReadRule =
  | { readonly kind: "rule"; readonly rule: Omit<HbaRule, "line" | "endLine" | "column"> }
  | HbaProblem;

function readRule(fields: readonly HbaField[]): ReadRule {
  const [typeField, databases, users, ...rest] = fields;
  const end = fields.at(-1)?.end ?? 0;
  const word = typeField?.tokens[0]?.value ?? "";
  const type = hbaTypes.find((known) => known === word);
  if (type === undefined || typeField?.tokens.length !== 1) {
    const message = `${JSON.stringify(word)} is no connection type`;
    return broken(typeField?.at ?? 0, message, `Use one of ${hbaTypes.join(", ")}.`);
  }
  if (databases === undefined || users === undefined) {
    return broken(end, "database and user are missing", `Write ${shapeOf(type)}.`);
  }
  let address: HbaAddress | null = null;
  if (type !== "local") {
    const read = readHbaAddress(rest, end);
    if (read.kind === "broken") return read;
    address = read.address;
    rest.splice(0, read.fieldCount);
  }
  const [method, ...more] = rest;
  if (method === undefined) return broken(end, "the method is missing", `Write ${shapeOf(type)}.`);
  if (method.tokens.length > 1) {
    return broken(method.at, "a rule takes one method", "Write one line for each method.");
  }
  const way = { type, method: method.tokens[0]?.value ?? "", options: more.flatMap(wordsOf) };
  const problem = methodProblem(way);
  if (problem !== null) {
    return broken(method.at, problem, "The server keeps its old rules until this is mended.");
  }
  const rule = { ...way, databases: databases.tokens, users: users.tokens, address };
  return { kind: "rule", rule };
}

/** A comma separates options as well as blanks do. */
function wordsOf(field: HbaField): readonly string[] {
  return field.tokens.map((token) => token.value);
}

function shapeOf(type: HbaType): string {
  return type === "local" ? "local DATABASE USER METHOD" : `${type} DATABASE USER ADDRESS METHOD`;
}

function broken(at: number, message: string, hint: string): HbaProblem {
  return { kind: "broken", at, message, hint };
}
