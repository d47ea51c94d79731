import { isNode, isSeq } from "yaml";
import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import { addNodeToYaml, lastValueEnd, lineAfter } from "./add-node-to-yaml.ts";
import { parseClusterFile } from "./parse.ts";
import { readYaml } from "./source.ts";

/**
 * The inverse of addNodeToYaml: the text without the entry, everything else as it is. null when the entry is not
 * what was added (a person has edited it since): then it is not ours to take out.
 */
export function takeNodeFromYaml(file: string, text: string, node: NodeDeclaration): string | null {
  const index = parseClusterFile(file, text).nodes.findIndex(({ name }) => name === node.name);
  if (index === -1) return text;
  const list = readYaml(file, text).document.get("nodes", true);
  if (!isSeq(list)) return null;
  const item = list.items[index];
  const before = list.items[index - 1];
  if (!isNode(item) || !item.range) return null;
  const taken =
    list.flow === true
      ? cut(text, isNode(before) ? (before.range?.[1] ?? 0) : 0, item.range[1])
      : cut(text, lineOf(text, text.lastIndexOf("-", item.range[0])), lineAfter(text, lastValueEnd(item))); // prettier-ignore
  return isInverse(file, taken, text, node) ? taken : null;
}

function isInverse(file: string, taken: string, text: string, node: NodeDeclaration): boolean {
  try {
    return addNodeToYaml(file, taken, node) === text;
  } catch {
    return false; // what would remain is no declaration
  }
}

export function cut(text: string, from: number, to: number): string {
  return text.slice(0, from) + text.slice(to);
}

export function lineOf(text: string, at: number): number {
  return text.lastIndexOf("\n", at - 1) + 1;
}
