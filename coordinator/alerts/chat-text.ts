import type { AlertMessage } from "./alert-message.ts";

export type ChatText = {
  readonly title: string;
  /** Each a label and what is said; plain text. */
  readonly facts: readonly (readonly [label: string, text: string])[];
  readonly detail: readonly string[];
};

/** What a person reads in a chat, without any markup yet. */
export function chatText({ change, isTest }: AlertMessage): ChatText {
  const { alert, kind } = change;
  const place = alert.file === null ? null : `${alert.file}${alert.line === null ? "" : `:${alert.line}`}`; // prettier-ignore
  const said: readonly (readonly [string, string | null])[] = [
    ["node", alert.node],
    ["file", place],
    ["rule", alert.rule],
    ["who", alert.who],
    ["fix", alert.state === "resolved" ? null : alert.fix],
    ["acknowledged by", alert.acknowledgedBy],
    ["note", alert.note],
    ["since", time(alert.firstSeenAt)],
    ["cause", alert.cause],
    ["alert", isTest ? null : `${alert.id}`],
  ];
  return {
    title: `${isTest ? "[TEST] " : ""}${headline(kind, alert)}: ${alert.summary}`,
    facts: said.flatMap(([label, text]) => (text === null ? [] : [[label, text] as const])),
    detail: alert.state === "resolved" ? [] : alert.detail.trimEnd().split("\n"),
  };
}

function headline(kind: string, { severity, state }: AlertMessage["change"]["alert"]): string {
  if (state === "resolved") return "resolved";
  return kind === "opened" ? severity : `${severity}, ${kind}`;
}

/** At most so many bytes, by whole lines; what is left out is said. */
export function fitLines(
  lines: readonly string[],
  mostBytes: number,
  bytesOf = (line: string): number => Buffer.byteLength(line) + 1,
): readonly string[] {
  const sum = (some: readonly string[]): number => some.reduce((bytes, line) => bytes + bytesOf(line), 0); // prettier-ignore
  if (sum(lines) <= mostBytes) return lines;
  const kept: string[] = [];
  let left = mostBytes - bytesOf(cutMark);
  for (const line of lines) {
    left -= bytesOf(line);
    if (left < 0) break;
    kept.push(line);
  }
  return [...kept, cutMark];
}

const cutMark = "… (cut; castellan alert show has all of it)";

/** No markup that a chat would act on: links, mentions. */
export function plainMarkdown(text: string): string {
  return text.replace(/[[\]<>]/g, (sign) => wide[sign] ?? "").replaceAll("`", "'");
}

/** Shown as it is: the lines of a diff begin with signs that mean something in Markdown. */
export function codeLine(line: string): string {
  const signs = Array.from(line.replaceAll("`", "'"));
  const shown = signs.length <= mostSigns ? signs : [...signs.slice(0, mostSigns), "…"];
  return `\`${shown.join("") || " "}\``;
}

const mostSigns = 300;

const wide: Readonly<Record<string, string>> = { "[": "［", "]": "］", "<": "＜", ">": "＞" };

function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
