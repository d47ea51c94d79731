import type { NodeEntry } from "../domain/commands.ts";
import { removeFromArray } from "./ha-module-edit.ts";
import { parseHba, type HbaRule } from "./hba.ts";
import { removeBackend } from "./pool-edit.ts";
import { backendIdOf, parsePoolConf } from "./pool-conf.ts";
import { applyEdits, lineEnding, removeLines } from "./text-file.ts";

/** The text without what names that node; the same text where nothing does. @throws RangeError where a list can't be read */
export function withoutNode(text: string, entry: NodeEntry): string {
  switch (entry.of) {
    case "hba":
      return withoutClient(text, entry);
    case "ha-lists":
      return removeFromArray(
        removeFromArray(text, "KB_ALL_IP", entry.address),
        "ALL_NODE_NAME",
        entry.node,
      );
    case "pool":
      return withoutRow(text, entry);
  }
}

type EntryOf<K extends NodeEntry["of"]> = Extract<NodeEntry, { readonly of: K }>;

/** Lines for this client alone; the comment of the operation that added them goes with the line below it. */
function withoutClient(text: string, { address, users }: EntryOf<"hba">): string {
  const { lines, rules } = parseHba(text);
  const [wanted] = parseHba(`host all all ${address} md5`).rules;
  const gone = new Set<number>();
  for (const rule of rules) {
    if (!isSameRange(rule, wanted) || !rule.users.every(({ value }) => users.includes(value))) {
      continue;
    }
    for (let line = rule.line; line <= rule.endLine; line += 1) gone.add(line);
    const above = lines.find(({ number }) => number === rule.line - 1);
    if (above !== undefined && /^# castellan op-[a-z0-9]+$/.test(above.text.trim())) {
      gone.add(above.number);
    }
  }
  return removeLines(text, gone);
}

function isSameRange(rule: HbaRule, wanted: HbaRule | undefined): boolean {
  const [a, b] = [rule.address, wanted?.address];
  if (a?.kind !== "range" || b?.kind !== "range") return false;
  return a.mask === b.mask && a.base.family === b.base.family && a.base.bits === b.base.bits;
}

/** Only a row that is this very backend; numbers stay what they are. */
function withoutRow(text: string, { row, isSpare }: EntryOf<"pool">): string {
  const { conf, settings } = parsePoolConf(text);
  const isOurs =
    settings.get(`backend_hostname${row.id}`)?.value === row.hostname &&
    settings.get(`backend_port${row.id}`)?.value === String(row.port);
  if (!isOurs) return text;
  if (!isSpare) return removeBackend(text, row.id);
  const first = conf.entries.find(
    ({ name, commentedOut }) => !commentedOut && backendIdOf(name) === row.id,
  );
  const note = `# castellan: backend ${row.id} is a spare row, ${row.applicationName} was removed`;
  const at = conf.lines[(first?.line ?? 1) - 1]?.start ?? 0;
  if (text.includes(note)) return text;
  return applyEdits(text, [{ start: at, end: at, text: `${note}${lineEnding(text)}` }]);
}
