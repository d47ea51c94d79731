import { isMap, isSeq, LineCounter, parseDocument, type Document } from "yaml";
import { Failure } from "#shared/errors.ts";
import { AgentSettings } from "./settings.ts";

export type LoadedSettings = { readonly settings: AgentSettings; readonly document: Document };

/**
 * agent.yaml's text as settings; the document keeps comments, for edits.
 * @throws Failure CONFIG_INVALID with file:line:column of the first complaint
 */
export function parseSettings(text: string, file: string): LoadedSettings {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    const [message = ""] = syntax.message.split("\n");
    throw new Failure("CONFIG_INVALID", `${at(syntax.pos[0])}: ${message}`, { cause: syntax });
  }
  const parsed = AgentSettings.safeParse(document.toJS());
  if (parsed.success) return { settings: parsed.data, document };
  const complaints = parsed.error.issues.map((issue) => {
    const where = at(offsetOf(document, issue.path));
    return `${where}: ${issue.path.map(String).join(".") || "file"}: ${issue.message}`;
  });
  throw new Failure("CONFIG_INVALID", complaints[0] ?? `${file}: not an agent.yaml`, {
    evidence: complaints.slice(1, 10),
    hint: "castellan-agent join writes a whole, commented file to compare with (--config FILE).",
  });
}

/** Where the value at `path` begins, or its nearest parent's where it is missing. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of [...path, null]) {
    if (isMap(node) || isSeq(node)) {
      offset = node.range?.[0] ?? offset;
      if (key === null) break;
      node = node.get(key, true);
    } else {
      if (
        typeof node === "object" &&
        node !== null &&
        "range" in node &&
        Array.isArray(node.range)
      ) {
        offset = Number(node.range[0]);
      }
      break;
    }
  }
  return offset;
}
