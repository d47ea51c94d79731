import { isNode, isSeq } from "yaml";
import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import { Failure } from "#shared/errors.ts";
import { lastValueEnd, lineAfter } from "./add-node-to-yaml.ts";
import { parseClusterFile } from "./parse.ts";
import { readYaml } from "./source.ts";
import { cut, lineOf } from "./take-node-from-yaml.ts";

/** The text without this node's entry, whoever wrote it; the same text where it has none. @throws Failure CONFIG_INVALID */
export function removeNodeFromYaml(file: string, text: string, name: string): string {
  const { nodes } = parseClusterFile(file, text);
  const index = nodes.findIndex((node) => node.name === name);
  if (index === -1) return text;
  const taken = withoutItem(file, text, index);
  const left = nodes.filter((node) => node.name !== name);
  if (taken !== null && declares(file, taken, left)) return taken;
  throw new Failure("CONFIG_INVALID", `${name} can't be taken out of ${file} as it is written.`, {
    hint: "Write out what the other nodes take from their place in the list (backendId), use no anchors, and try again.",
  });
}

function withoutItem(file: string, text: string, index: number): string | null {
  const list = readYaml(file, text).document.get("nodes", true);
  if (!isSeq(list)) return null;
  const item = list.items[index];
  const [before, next] = [list.items[index - 1], list.items[index + 1]];
  if (!isNode(item) || !item.range) return null;
  if (list.flow !== true) {
    const dash = lineOf(text, text.lastIndexOf("-", item.range[0]));
    return cut(text, dash, lineAfter(text, lastValueEnd(item)));
  }
  if (isNode(before) && before.range) return cut(text, before.range[1], item.range[1]);
  return isNode(next) && next.range ? cut(text, item.range[0], next.range[0]) : null;
}

/** The others as they were, also in what follows from their place in the list. */
function declares(file: string, text: string, nodes: readonly NodeDeclaration[]): boolean {
  try {
    return JSON.stringify(parseClusterFile(file, text).nodes) === JSON.stringify(nodes);
  } catch {
    return false;
  }
}
