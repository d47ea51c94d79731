import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import { Failure } from "#shared/errors.ts";
import type * as z from "zod";
import { findContradictions } from "./contradictions.ts";
import { resolveCluster } from "./resolve.ts";
import { ClusterEntry, ClusterYaml, NodeEntry } from "./schema.ts";
import { readYaml, type YamlSource } from "./source.ts";
import { suggestKey } from "./suggest-key.ts";

/** More is no cluster declaration: it would only keep the parser busy. */
const maxCharacters = 1_048_576;

/**
 * `cluster: {name: ESHA, product: postgresql}` and a list of nodes give the whole declaration.
 * @throws Failure CONFIG_INVALID: every complaint has file:line:column, what was found and what would be right.
 */
export function parseClusterFile(file: string, text: string): ClusterDeclaration {
  return resolveCluster(parseClusterYaml(file, text));
}

export function parseClusterYaml(file: string, text: string): ClusterYaml {
  if (text.length > maxCharacters) {
    throw invalid(file, [
      `${file}:1:1 has ${text.length} characters; the most is ${maxCharacters}.`,
    ]);
  }
  const source = readYaml(file, text);
  const syntax = source.document.errors.map(
    (error) => `${source.placeAt(error.pos[0])}: ${error.message.split("\n")[0] ?? "not YAML"}.`,
  );
  if (syntax.length > 0) throw invalid(file, syntax);
  const value = plainValue(source);
  const parsed = ClusterYaml.safeParse(value);
  if (!parsed.success) {
    throw invalid(
      file,
      parsed.error.issues.flatMap((issue) => complaintsOf(source, value, issue)),
    );
  }
  const contradictions = findContradictions(parsed.data, source);
  if (contradictions.length > 0) throw invalid(file, contradictions);
  return parsed.data;
}

function plainValue(source: YamlSource): unknown {
  let value: unknown;
  try {
    value = source.document.toJS({ maxAliasCount: 50 }) ?? {};
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(source.file, [`${source.placeAt(0)}: ${reason}.`]);
  }
  if (containsItself(value)) {
    throw invalid(source.file, [`${source.placeAt(0)}: an alias stands within its own anchor.`]);
  }
  return value;
}

function containsItself(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return false;
  } catch {
    return true;
  }
}

function complaintsOf(
  source: YamlSource,
  value: unknown,
  issue: z.core.$ZodIssue,
): readonly string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const known = keysAt(issue.path);
      const suggestion = suggestKey(key, known);
      const hint =
        suggestion === null ? `Known are ${known.join(", ")}.` : `Did you mean ${suggestion}?`;
      return `${printPath([...issue.path, key])} is not known (${source.placeOfKey(issue.path, key)}). ${hint}`;
    });
  }
  const found = valueAt(value, issue.path);
  const where = source.placeOf(issue.path);
  const path = printPath(issue.path);
  if (found === undefined) return [`${path} is missing (${where}); wanted: ${wanted(issue)}.`];
  return [`${path} is ${JSON.stringify(found)} (${where}); wanted: ${wanted(issue)}.`];
}

/** What would be right, in words. */
function wanted(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") {
    return issue.expected === "int" ? "a whole number" : `a value of type ${issue.expected}`;
  }
  if (issue.code === "invalid_value") return `one of ${issue.values.map(String).join(", ")}`;
  if (issue.code === "too_big") return `at most ${issue.maximum}`;
  if (issue.code === "too_small" && issue.message.startsWith("Too small")) {
    return `at least ${issue.minimum}`;
  }
  return issue.message;
}

function keysAt(path: readonly PropertyKey[]): readonly string[] {
  const [first, second, third] = path;
  if (first === undefined) return Object.keys(ClusterYaml.shape);
  if (first === "cluster" && second === "pool") {
    return Object.keys(ClusterEntry.shape.pool.unwrap().shape);
  }
  if (first === "cluster" && second === "database") {
    return Object.keys(ClusterEntry.shape.database.unwrap().shape);
  }
  if (first === "cluster") return Object.keys(ClusterEntry.shape);
  if (third === "pool") return Object.keys(NodeEntry.shape.pool.unwrap().shape);
  return Object.keys(NodeEntry.shape);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = Object.entries(at).find(([name]) => name === String(key))?.[1];
  }
  return at;
}

/** `nodes[2].port` */
function printPath(path: readonly PropertyKey[]): string {
  const printed = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`));
  return printed.join("").replace(/^\./, "") || "the file";
}

function invalid(file: string, complaints: readonly string[]): Failure {
  const [first = `${file} is invalid.`] = complaints;
  const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : "";
  return new Failure("CONFIG_INVALID", `${first}${more}`, {
    hint: `Edit ${file}; "castellan cluster validate" checks it.`,
    evidence: complaints,
  });
}
