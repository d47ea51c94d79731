import { isCollection, isMap, isNode, isPair, isSeq, stringify, type YAMLSeq } from "yaml";
import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import { Failure } from "#shared/errors.ts";
import { describeNode } from "./describe-node.ts";
import { parseClusterFile, parseClusterYaml } from "./parse.ts";
import type { NodeEntry } from "./schema.ts";
import { readYaml } from "./source.ts";

/**
 * Adds the node at the end of the list and touches nothing else: comments, blank lines, quotes and indentation stay.
 * A node that is there already with the same content gives the same text.
 * @throws Failure ALREADY_EXISTS when the name is taken by another node; CONFIG_INVALID for a broken file.
 */
export function addNodeToYaml(file: string, text: string, node: NodeDeclaration): string {
  const declared = parseClusterFile(file, text).nodes.find((other) => other.name === node.name);
  if (declared !== undefined) {
    if (isSameContent(declared, node)) return text;
    throw new Failure("ALREADY_EXISTS", `${file} already declares another node ${node.name}.`, {
      hint: "Take it out of the list, or choose another name.",
    });
  }
  const entry = describeNode(parseClusterYaml(file, text).cluster, node);
  const added = insertEntry(file, text, entry);
  const written = parseClusterFile(file, added).nodes.find((other) => other.name === node.name);
  if (written === undefined || !isSameContent(written, node)) {
    throw new Failure("INTERNAL", `${file} would not declare ${node.name} as it is.`);
  }
  return added;
}

function insertEntry(file: string, text: string, entry: NodeEntry): string {
  const list = readYaml(file, text).document.get("nodes", true);
  if (!isSeq(list) || !list.range) {
    throw new Failure("CONFIG_INVALID", `${file} has no list of nodes to add to.`);
  }
  if (list.flow === true) {
    const last = list.items.at(-1);
    const at = isNode(last) && last.range ? last.range[1] : list.range[1] - 1;
    return `${text.slice(0, at)}, ${printFlow(entry)}${text.slice(at)}`;
  }
  const at = endOfBlock(text, list);
  const lead = at > 0 && text[at - 1] !== "\n" ? "\n" : "";
  return text.slice(0, at) + lead + printBlock(text, list, entry) + text.slice(at);
}

/** Behind the line of the list's last value, and behind comments that are indented as part of it. */
function endOfBlock(text: string, list: YAMLSeq): number {
  const dashColumn = columnOf(text, dashOf(text, list));
  let at = lineAfter(text, lastValueEnd(list));
  let end = at;
  while (at < text.length) {
    const next = lineAfter(text, at);
    const line = text.slice(at, next);
    const comment = /^( *)#/.exec(line);
    if (comment === null && line.trim() !== "") break;
    if (comment !== null && (comment[1]?.length ?? 0) <= dashColumn) break;
    if (comment !== null) end = next;
    at = next;
  }
  return end;
}

export function lastValueEnd(node: unknown): number {
  if (isCollection(node)) {
    if (node.flow === true || node.items.length === 0) return node.range?.[1] ?? 0;
    return lastValueEnd(node.items.at(-1));
  }
  if (isPair(node)) return node.value === null ? lastValueEnd(node.key) : lastValueEnd(node.value);
  return isNode(node) ? (node.range?.[1] ?? 0) : 0;
}

function printBlock(text: string, list: YAMLSeq, entry: NodeEntry): string {
  const dashAt = dashOf(text, list);
  const dash = " ".repeat(columnOf(text, dashAt));
  const first = list.items.at(-1);
  const keyAt = isMap(first) && first.flow !== true ? (first.range?.[0] ?? dashAt + 2) : dashAt + 2;
  const gap = " ".repeat(Math.max(1, keyAt - dashAt - 1));
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = stringify(entry, { lineWidth: 0 }).trimEnd().split("\n");
  return lines
    .map((line, index) => `${dash}${index === 0 ? "-" : " "}${gap}${line}${eol}`)
    .join("");
}

function printFlow(entry: NodeEntry): string {
  return stringify(entry, { collectionStyle: "flow", lineWidth: 0 }).trim();
}

/** Where the dash of the last item stands. */
function dashOf(text: string, list: YAMLSeq): number {
  const last = list.items.at(-1);
  const start = isNode(last) && last.range ? last.range[0] : (list.range?.[0] ?? 0);
  return text.lastIndexOf("-", start);
}

function columnOf(text: string, at: number): number {
  return at - (text.lastIndexOf("\n", at - 1) + 1);
}

export function lineAfter(text: string, at: number): number {
  const newline = text.indexOf("\n", at);
  return newline === -1 ? text.length : newline + 1;
}

function isSameContent(a: NodeDeclaration, b: NodeDeclaration): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
