import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createJournalFile } from "#coordinator/store/journal-file.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import type { Store } from "#coordinator/store/store.ts";
import { Failure } from "#shared/errors.ts";
import { someOperation, somePlan, slotStep } from "./some-plan.ts";

/** A journal as kill -9 leaves it (a full log), and one that was closed. */
let killed = "";
let closed = "";
let acknowledged = "";

const parts = ["journal.db", "journal.db-wal", "journal.db-mark"];

beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), "castellan-damage-"));
  const live = join(folder, "live");
  killed = join(folder, "killed");
  closed = join(folder, "closed");
  mkdirSync(live);
  createJournalFile(join(live, "journal.db"));
  fill(live, 0);
  const store = open(live);
  write(store, 1);
  // As it is at this instant: whoever is killed leaves just that.
  cpSync(live, killed, { recursive: true });
  acknowledged = contentOf(store);
  store[Symbol.dispose]();
  cpSync(live, closed, { recursive: true });
});
afterAll(() => rmSync(join(killed, ".."), { recursive: true, force: true }));

function open(folder: string): Store {
  return openStore({ file: join(folder, "journal.db"), keptEvents: 10_000, now: 7 });
}

function fill(folder: string, round: number): void {
  using store = open(folder);
  write(store, round);
}

function write(store: Store, round: number): void {
  const { plan, onFailure, ...asked } = someOperation(somePlan(slotStep("srv127")));
  const header = { ...asked, id: `op-aaaaaaa${round}`, requestedAt: round };
  store.createOperation(header, plan, { onFailure });
  store.setStep(header.id, 0, { state: "started", attempt: 1 });
  for (let at = 0; at < 40; at += 1) {
    const data = { text: `${round} ${at} `.repeat(60) };
    store.addEvent({ at, kind: "k", node: "srv127", operationId: header.id, data });
  }
  store.setOperationState(header.id, "succeeded", 9);
}

/** What commands the world. Other records have no sums of their own: what a turned byte makes of them fails safe. */
function contentOf(store: Store): string {
  return JSON.stringify([store.operations(), store.leaseHolder("ESHA")]);
}

type Verdict = "intact" | "refused" | "WRONG";

/** What a daemon makes of this journal after the damage. */
function judge(from: string, damage: (folder: string) => void): Verdict {
  const folder = mkdtempSync(join(tmpdir(), "castellan-damaged-"));
  try {
    for (const part of parts) {
      if (existsSync(join(from, part))) copyFileSync(join(from, part), join(folder, part));
    }
    damage(folder);
    try {
      using store = open(folder);
      return contentOf(store) === acknowledged ? "intact" : "WRONG";
    } catch (error) {
      const isTold = error instanceof Failure && error.hint !== undefined;
      return isTold && ["STORE_UNUSABLE", "VERSION_MISMATCH"].includes(error.code)
        ? "refused"
        : "WRONG";
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("a journal that nothing happened to is intact, killed or closed", () => {
  expect(judge(killed, () => undefined)).toBe("intact");
  expect(judge(closed, () => undefined)).toBe("intact");
});

test.each([
  ["its log is missing", (folder: string) => removeFiles(folder, "journal.db-wal")], // prettier-ignore
  ["its log is cut by one byte", (folder: string) => cut(folder, "journal.db-wal", 1)],
  ["its log is cut in its middle", (folder: string) => cut(folder, "journal.db-wal", 50_000)],
  ["its log is empty", (folder: string) => truncateSync(join(folder, "journal.db-wal"), 0)],
  ["its log is another one's", (folder: string) => writeFileSync(join(folder, "journal.db-wal"), "x".repeat(90_000))], // prettier-ignore
  ["its database is an older one", (folder: string) => olderDatabase(folder)],
  ["its mark is missing", (folder: string) => removeFiles(folder, "journal.db-mark")],
  ["its database is empty", (folder: string) => truncateSync(join(folder, "journal.db"), 0)],
  ["its database is missing, its log is left", (folder: string) => removeFiles(folder, "journal.db")], // prettier-ignore
])("a journal is refused when %s", (_, damage) => {
  expect(judge(killed, damage)).toBe("refused");
});

test("a byte that was turned in the text of a record is seen, which SQLite's own check does not see", () => {
  const verdict = judge(closed, (folder) => {
    const file = join(folder, "journal.db");
    const bytes = readFileSync(file);
    const at = bytes.indexOf("slot_srv159");
    bytes.write("slot_srv158", at);
    writeFileSync(file, bytes);
  });
  expect(verdict).toBe("refused");
});

const runs = Number(process.env["FUZZ_RUNS"] ?? 200);

test("whatever is damaged, a daemon starts with every acknowledged record or refuses with a code and a hint", () => {
  const damage = fc.record({
    from: fc.constantFrom("killed", "closed"),
    part: fc.constantFrom(...parts),
    kind: fc.constantFrom("flip", "zeros", "noise", "cut", "extend", "remove"),
    where: fc.double({ min: 0, max: 0.999999, noNaN: true }),
    length: fc.integer({ min: 1, max: 9_000 }),
    value: fc.integer({ min: 1, max: 255 }),
  });
  const seen = { intact: 0, refused: 0, WRONG: 0 };
  fc.assert(
    fc.property(damage, (d) => {
      const verdict = judge(d.from === "killed" ? killed : closed, (folder) => {
        const file = join(folder, d.part);
        if (existsSync(file)) hurt(file, d);
      });
      seen[verdict] += 1;
      expect(verdict).not.toBe("WRONG");
    }),
    { numRuns: runs },
  );
  // Neither answer alone: what is refused always would prove nothing.
  expect(seen.intact).toBeGreaterThan(0);
  expect(seen.refused).toBeGreaterThan(0);
}, 600_000);

function hurt(
  file: string,
  d: { readonly kind: string; readonly where: number; readonly length: number; readonly value: number }, // prettier-ignore
): void {
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length * d.where);
  if (d.kind === "remove") rmSync(file);
  else if (d.kind === "cut") truncateSync(file, at);
  else if (d.kind === "extend")
    writeFileSync(file, Buffer.concat([bytes, Buffer.alloc(d.length, d.value)])); // prettier-ignore
  else {
    const end = d.kind === "flip" ? at + 1 : Math.min(bytes.length, at + d.length);
    for (let place = at; place < end; place += 1) {
      const before = bytes[place] ?? 0;
      bytes[place] =
        d.kind === "zeros" ? 0 : d.kind === "flip" ? before ^ d.value : (before * 7 + d.value + place) & 0xff; // prettier-ignore
    }
    writeFileSync(file, bytes);
  }
}

function removeFiles(folder: string, ...names: readonly string[]): void {
  for (const name of names) rmSync(join(folder, name));
}

function cut(folder: string, name: string, bytes: number): void {
  const file = join(folder, name);
  truncateSync(file, statSync(file).size - bytes);
}

function olderDatabase(folder: string): void {
  const older = mkdtempSync(join(tmpdir(), "castellan-older-"));
  createJournalFile(join(older, "journal.db"));
  copyFileSync(join(older, "journal.db"), join(folder, "journal.db"));
  removeFiles(folder, "journal.db-wal");
  rmSync(older, { recursive: true });
}
