import { expect, test } from "vitest";
import { applyDelta } from "#coordinator/hub/facts-board.ts";
import { someFacts } from "#test/unit/some-facts.ts";

const held = { version: 3, facts: someFacts() };
const pool = { kind: "pgpool" as const, status: "running" as const, problem: null, pid: 1, version: null, rows: [], isLeader: null, clientSessions: 0, settings: {} }; // prettier-ignore

test("a delta on the version that is held replaces its sections and keeps the others", () => {
  const outcome = applyDelta(held, { base: 3, version: 4, sections: { pool } });
  expect(outcome).toEqual({ held: { version: 4, facts: { ...held.facts, pool } } });
});

test("a pool that is gone is a value, not a gap", () => {
  const withPool = { version: 3, facts: { ...held.facts, pool } };
  const outcome = applyDelta(withPool, { base: 3, version: 4, sections: { pool: null } });
  expect(outcome).toMatchObject({ held: { facts: { pool: null } } });
});

test("without its base, or with nothing held, the whole is asked for", () => {
  expect(applyDelta(held, { base: 4, version: 5, sections: {} })).toBe("resend");
  expect(applyDelta(null, { base: 1, version: 2, sections: {} })).toBe("resend");
});

test("what is older than what is held is dropped", () => {
  expect(applyDelta(held, { base: 2, version: 3, sections: {} })).toBe("stale");
});
