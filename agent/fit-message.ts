import type { AgentMessage } from "#shared/protocol/messages.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { encode } from "#shared/protocol/codec.ts";

type FactsMessage = Extract<AgentMessage, { type: "facts" | "facts-changed" }>;

/**
 * A message as text of at most `mostBytes`: where the watched files' texts make it too large, the
 * largest are left out (their hashes stay). Answers the paths of those too; null if nothing helps.
 */
export function fitFacts(
  message: FactsMessage,
  mostBytes: number,
): { readonly text: string; readonly leftOut: readonly string[] } | null {
  const text = encode(message);
  if (Buffer.byteLength(text) <= mostBytes) return { text, leftOut: [] };
  const files = message.type === "facts" ? message.facts.files : (message.sections.files ?? []);
  const largestFirst = files
    .filter((file) => file.maskedText !== null)
    .sort((a, b) => (b.maskedText?.length ?? 0) - (a.maskedText?.length ?? 0));
  const leftOut: string[] = [];
  for (const { path } of largestFirst) {
    leftOut.push(path);
    const fitted = encode(withFiles(message, withoutTexts(files, new Set(leftOut))));
    if (Buffer.byteLength(fitted) <= mostBytes) return { text: fitted, leftOut };
  }
  return null;
}

function withoutTexts(files: readonly FileFacts[], paths: ReadonlySet<string>): FileFacts[] {
  return files.map((file) => (paths.has(file.path) ? { ...file, maskedText: null } : file));
}

function withFiles(message: FactsMessage, files: FileFacts[]): FactsMessage {
  return message.type === "facts"
    ? { ...message, facts: { ...message.facts, files } }
    : { ...message, sections: { ...message.sections, files } };
}
