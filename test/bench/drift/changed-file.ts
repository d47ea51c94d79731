import {
  appendFileSync,
  chmodSync,
  chownSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import type { Delivery } from "./receiver.ts";
import { monotonicMs } from "./receiver.ts";

export const changeKinds = [
  "rename-over",
  "write in place",
  "append",
  "delete and recreate",
  "mode",
] as const;
export type ChangeKind = (typeof changeKinds)[number];

export type ChangedFile = {
  readonly node: string;
  readonly path: string;
  readonly cause: string;
  /** Answers when it began. It is another file afterwards than it ever was, and never the accepted one. */
  change(kind: ChangeKind): number;
  /** Whether a delivery tells the file as it is at this call: exactly these lines and this mode. */
  told(): (delivery: Delivery) => boolean;
};

/** Kept from others: no rule is broken by them. */
const modes = [0o600, 0o640, 0o660, 0o620];
let markers = 0;

/** A watched file of a node and what is known to differ in it from what stands there now, which is what is accepted. */
export function changedFile({ host, name }: ClusterNode, path: string): ChangedFile {
  const outside = host.path(path);
  const { uid, gid, mode } = statSync(outside);
  const acceptedMode = mode & 0o7777;
  const lines = readFileSync(outside, "utf8").replace(/\n$/, "").split("\n");
  const comment = lines.findIndex((line) => line.startsWith("# "));
  if (comment === -1) throw new Error(`${path} has no comment that could be left out`);
  const middle = Math.max(comment + 1, Math.floor(lines.length / 2));

  let first: readonly string[] = [];
  let between: readonly string[] = [];
  let last: readonly string[] = [];
  let isCommentGone = false;
  let modeNow = acceptedMode;

  const content = (): string => {
    const kept = lines.map((line, at) => (isCommentGone && at === comment ? [] : [line]));
    return [...first, ...kept.slice(0, middle).flat(), ...between, ...kept.slice(middle).flat(), ...last].map((line) => `${line}\n`).join(""); // prettier-ignore
  };
  const become = (change: { first?: string; between?: string; isCommentGone?: boolean }): void => {
    first = change.first === undefined ? [] : [change.first];
    between = change.between === undefined ? [] : [change.between];
    last = [];
    isCommentGone = change.isCommentGone ?? false;
  };
  const make = (file: string): void => {
    writeFileSync(file, content(), { mode: acceptedMode, flag: "wx" });
    chownSync(file, uid, gid);
    chmodSync(file, acceptedMode);
    modeNow = acceptedMode;
  };

  const changes: Record<ChangeKind, (marker: string) => void> = {
    "rename-over": (marker) => {
      become({ between: marker });
      make(`${outside}.new`);
      renameSync(`${outside}.new`, outside);
    },
    "write in place": (marker) => {
      become({ first: marker });
      writeFileSync(outside, content());
    },
    append: (marker) => {
      last = [...last, marker];
      appendFileSync(outside, `${marker}\n`);
    },
    "delete and recreate": (marker) => {
      become({ between: marker, isCommentGone: true });
      unlinkSync(outside);
      make(outside);
    },
    mode: () => {
      modeNow = modes.find((other) => other !== modeNow && other !== acceptedMode) ?? 0o700;
      chmodSync(outside, modeNow);
    },
  };

  return {
    node: name,
    path,
    cause: `node:${name}:file:${path}`,
    change: (kind) => {
      markers += 1;
      const beganAt = monotonicMs();
      changes[kind](`# changed for the ${markers}th time`);
      return beganAt;
    },
    told: () => {
      const added = [...first, ...between, ...last];
      const removed = isCommentGone ? lines.slice(comment, comment + 1) : [];
      const wanted = JSON.stringify([modeNow === acceptedMode ? null : modeNow, removed, added]);
      return ({ cause, state, detail }) =>
        cause === `node:${name}:file:${path}` &&
        state !== "resolved" &&
        JSON.stringify(differenceIn(detail)) === wanted;
    },
  };
}

/** Mode, removed and added lines of an alert about a file. */
function differenceIn(detail: string): readonly [number | null, string[], string[]] {
  const lines = detail.split("\n");
  const header = lines.findIndex((line) => line.startsWith("--- "));
  const before = header === -1 ? lines : lines.slice(0, header);
  const diff = header === -1 ? [] : lines.slice(header + 2);
  const mode = before.flatMap((line) => /^mode \d+ became (\d+)$/.exec(line)?.[1] ?? [])[0];
  const of = (sign: string): string[] =>
    diff.filter((line) => line.startsWith(sign)).map((line) => line.slice(1));
  return [mode === undefined ? null : Number.parseInt(mode, 8), of("-"), of("+")];
}
