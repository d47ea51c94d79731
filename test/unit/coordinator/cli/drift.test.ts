import { expect, test } from "vitest";
import type { DriftAnswer, DriftShown, FileVersionLine } from "#coordinator/api/drift-contract.ts";
import { renderDrift, renderDriftShown } from "#coordinator/cli/render/drift.ts";
import { renderFile, renderFileDiff, renderHistory } from "#coordinator/cli/render/file.ts";

const item = {
  cluster: "ESHA",
  node: "srv127",
  path: "/data/pg_hba.conf",
  what: "changed",
  state: "present",
  shown: "0123456789abcdef",
  seenAt: Date.UTC(2026, 0, 2, 3, 4, 6),
  modifiedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
  who: "uid 26 (postgres)",
  acceptedAt: Date.UTC(2026, 0, 1),
  acceptedBy: "alice@ops",
  isBroken: false,
} as const;
const setting = { name: "max_connections", file: "/data/postgresql.conf", line: 7, inFile: "200", inForce: "100", state: "waits-for-restart" } as const; // prettier-ignore
const breach = { id: 7, rule: "hba-nodes", severity: "critical", node: "srv127", summary: "no line for srv129" } as const; // prettier-ignore
const version: FileVersionLine = {
  node: "srv127",
  path: "/data/pg_hba.conf",
  version: 2,
  format: "hba",
  state: "present",
  hash: "ab".repeat(32),
  mode: 0o600,
  owner: "26:26",
  ownerName: "postgres",
  modifiedAt: item.modifiedAt,
  isCut: false,
  seenAt: item.seenAt,
  acceptedAt: null,
  acceptedBy: null,
  hasText: true,
  who: "uid 26 (postgres)",
};

test("the list names every file, every setting that waits, every broken rule, and who is away", () => {
  const answer: DriftAnswer = {
    at: 0,
    files: [item, { ...item, node: "srv129", isBroken: true }],
    settings: [{ node: "srv127", ...setting }],
    breaches: [{ ...breach, id: 8, severity: "info" }, breach],
    away: ["srv129"],
  };
  expect(renderDrift(answer)).toEqual([
    "NODE    WHAT             SINCE                 FILE",
    "srv127  changed          2026-01-02 03:04:05Z  /data/pg_hba.conf",
    "srv129  can't be parsed  2026-01-02 03:04:05Z  /data/pg_hba.conf",
    "",
    "Settings that are not in force",
    "  srv127: max_connections waits for a restart: '200' in the file, '100' in force",
    "    /data/postgresql.conf:7",
    "",
    "Broken rules",
    "  critical  hba-nodes: no line for srv129  [alert 7]",
    "  info      hba-nodes: no line for srv129  [alert 8]",
    "",
    "No agent is connected from srv129: theirs is what they told last.",
    "",
    "What differs: castellan drift show NODE FILE",
  ]);
  expect(renderDrift({ at: 0, files: [], settings: [], breaches: [], away: [] })).toEqual([
    "Every watched file is as accepted.",
  ]);
});

test("a difference is shown with all that is known of it, and what can be typed", () => {
  const shown: DriftShown = {
    ...item,
    diff: ["--- a", "+++ a", "+host all all ::/0 trust # caf\u00c3\u00a9"],
    changes: ["host all all ::/0 added"],
    complaints: [
      { file: "a", line: 3, column: 1, message: "no method", hint: "Name one." },
      { file: "a", line: 4, column: 1, message: "twice", hint: "Take one out.", isDoubt: true },
    ],
    breaches: [breach],
    isAway: true,
    settings: [setting],
    inForce: "not before a reload",
  };
  expect(renderDriftShown(shown)).toEqual([
    "/data/pg_hba.conf on srv127: changed",
    "  changed   2026-01-02 03:04:05Z, seen 2026-01-02 03:04:06Z, owner uid 26 (postgres)",
    "  accepted  2026-01-01 00:00:00Z by alice@ops",
    "  in force  not before a reload",
    "  agent     away: this is what it told last",
    "",
    "Can't be parsed",
    "  3:1: no method. Name one.",
    "",
    "Look twice",
    "  4:1: twice. Take one out.",
    "",
    "It means",
    "  host all all ::/0 added",
    "",
    "Not in force",
    "  line 7: max_connections waits for a restart: '200' in the file, '100' in force",
    "",
    "Broken rules",
    "  critical  hba-nodes: no line for srv129  [alert 7]",
    "",
    "--- a",
    "+++ a",
    "+host all all ::/0 trust # caf\u00e9",
    "",
    "Hash 0123456789abcdef. Type",
    "  castellan drift accept srv127 /data/pg_hba.conf --hash 0123456789abcdef",
    "      to take it for right",
    "  castellan drift revert srv127 /data/pg_hba.conf --hash 0123456789abcdef",
    "      to put back what was accepted",
  ]);
});

test("a history says of each version when it was seen, whose it was and whether it was accepted", () => {
  const accepted = { ...version, version: 1, acceptedAt: item.acceptedAt, acceptedBy: "first sight" }; // prettier-ignore
  const lines = renderHistory({
    node: "srv127",
    path: version.path,
    versions: [version, accepted],
  });
  expect(lines[2]).toMatch(/^2 .* uid 26 \(postgres\) +0600 +present +abababababab +no$/);
  expect(lines[3]).toMatch(/2026-01-01 00:00:00Z by first sight$/);
});

test("a file without a text says why there is none", () => {
  const file = { ...version, maskedText: null, isCurrent: true };
  expect(renderFile(file).join()).toContain("never leaves its host");
  expect(renderFile({ ...file, isCut: true }).join()).toContain("too long");
  expect(renderFile({ ...file, state: "absent", hash: null }).join()).toContain("no such file");
  expect(renderFile({ ...file, maskedText: "a\nb\n" })).toEqual(["a", "b"]);
});

test("a comparison names both sides, equal ones too", () => {
  const right = { ...version, node: "srv129" };
  expect(renderFileDiff({ left: version, right, diff: [] })[0]).toMatch(/^Equal: .* on srv127/);
  const other = { ...right, hash: "cd".repeat(32) };
  const lines = renderFileDiff({ left: version, right: other, diff: ["-a", "+b"] });
  expect(lines.slice(2)).toEqual(["-a", "+b"]);
});
