import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { renderEnd } from "#coordinator/cli/render/operation-end.ts";
import { renderOperation, renderOperationList } from "#coordinator/cli/render/operation.ts";
import { wrap } from "#coordinator/cli/render/wrap.ts";
import { operationEnd } from "#coordinator/operations/operation-end.ts";
import type { OperationRecord, StepRecord } from "#coordinator/store/store.ts";
import type { FailureRecord } from "#shared/domain/operation.ts";
import { projectRoot } from "#test/harness/project-root.ts";
import {
  hbaStep,
  proofStep,
  slotStep,
  someOperation,
  somePlan,
  startStep,
} from "#test/integration/coordinator/some-plan.ts";

const plan = somePlan(
  hbaStep("srv127"),
  proofStep("srv159"),
  slotStep("srv127"),
  startStep("srv159"),
);

const failure: FailureRecord = {
  code: "PROGRAM_FAILED",
  message:
    "pg_ctl ended with status 1 while it started the database of srv159 on /var/lib/postgresql/15/main",
  hint: "Look at the server's log and mend what it names.",
  evidence: [
    "FATAL:  could not map anonymous shared memory: Cannot allocate memory (this request asked for 148471808 bytes)",
    "pg_ctl: could not start server",
  ],
  retryable: false,
};

function operation(
  change: Partial<OperationRecord>,
  states: readonly (readonly [StepRecord["state"], FailureRecord?])[],
): OperationRecord {
  const { plan: steps, onFailure, ...asked } = someOperation(plan);
  return {
    ...asked,
    id: "op-zrqsekbyms5d",
    requestedAt: 1_000,
    onFailure,
    plan: steps,
    state: "paused",
    startedAt: 2_000,
    endedAt: null,
    failure: null,
    restores: 0,
    steps: states.map(([state, stepFailure], index) => ({
      index,
      state,
      attempt: state === "pending" ? 0 : 1,
      startedAt: 2_000 + index,
      endedAt: 3_000,
      evidence: null,
      failure: stepFailure ?? null,
    })),
    ...change,
  };
}

const paused = operation({ failure }, [["done"], ["done"], ["done"], ["failed", failure]]);
const rolledBack = operation({ state: "rolled-back", failure }, [
  ["undone"],
  ["undone"],
  ["undone"],
  ["undone", failure],
]);
const left: FailureRecord = {
  code: "OPERATION_NEEDS_ATTENTION",
  message: "Could not take back create-slot/srv127.",
  hint: "mend the cause and run: castellan operation abort op-zrqsekbyms5d",
  evidence: [],
  retryable: false,
};
const away: FailureRecord = {
  ...failure,
  code: "NODE_UNREACHABLE",
  message: "The agent of srv127 stayed away for 600 s in the middle of a step.",
  hint: null,
  evidence: [],
};
const needsAttention = operation({ state: "needs-attention", failure: left }, [
  ["undone"],
  ["undone"],
  ["undo-failed", away],
  ["undone", failure],
]);
const cancelled = operation({ state: "cancelled" }, [["pending"], ["pending"], ["pending"], ["pending"]]); // prettier-ignore
const held: OperationRecord = {
  ...operation(
    {
      restores: 1,
      failure: {
        code: "INTERRUPTED",
        message:
          "The journal was restored from a backup of 2026-11-22T02:00:00.000Z: what this operation did since is not in it.",
        hint: null,
        evidence: [],
        retryable: false,
      },
    },
    [["pending"], ["pending"], ["pending"], ["pending"]],
  ),
};

const shown = (record: OperationRecord): string =>
  renderEnd(record.id, operationEnd(record)).join("\n");

const why = `  Step      start the database on srv159  [start-database/srv159]
  Cause     PROGRAM_FAILED: pg_ctl ended with status 1 while it started the
            database of srv159 on /var/lib/postgresql/15/main
  Evidence  FATAL:  could not map anonymous shared memory: Cannot allocate
            memory (this request asked for 148471808 bytes)
            pg_ctl: could not start server
  To mend   Look at the server's log and mend what it names.`;

/** Of one that failed as the paused one did: the rest of what is shown. */
function besidesWhy(record: OperationRecord): string {
  const text = shown(record);
  expect(text).toContain(why);
  return text.replace(why, "  (why it failed)");
}

describe("how an operation stands", () => {
  test("paused: the step, its cause, its evidence, how to mend it, what to type", () => {
    expect(shown(paused)).toMatchInlineSnapshot(`
      "op-zrqsekbyms5d is paused
        A step failed; nothing more happens by itself.
        Step      start the database on srv159  [start-database/srv159]
        Cause     PROGRAM_FAILED: pg_ctl ended with status 1 while it started the
                  database of srv159 on /var/lib/postgresql/15/main
        Evidence  FATAL:  could not map anonymous shared memory: Cannot allocate
                  memory (this request asked for 148471808 bytes)
                  pg_ctl: could not start server
        To mend   Look at the server's log and mend what it names.
        Type
          castellan operation resume op-zrqsekbyms5d
              go on where it was, after the cause is mended
          castellan operation abort op-zrqsekbyms5d
              take back everything that it made"
    `);
  });

  test("rolled back: what it failed of, and what was undone", () => {
    expect(besidesWhy(rolledBack)).toMatchInlineSnapshot(`
      "op-zrqsekbyms5d is rolled-back
        Everything that it made was taken back.
        (why it failed)
        Undone    open the hba of srv127
                  make slot slot_srv159 on srv127
                  start the database on srv159
        Type
          castellan status
              the cluster as it is now"
    `);
  });

  test("needs attention: what began it, what is left and why, and the way to take it back by hand", () => {
    expect(besidesWhy(needsAttention)).toMatchInlineSnapshot(`
      "op-zrqsekbyms5d is needs-attention
        Not everything could be taken back; the rest waits for you.
        (why it failed)
        Undone    open the hba of srv127
                  start the database on srv159
        By hand   srv127: replication slot slot_srv159: run there:
          SELECT pg_drop_replication_slot('slot_srv159');
                  because: The agent of srv127 stayed away for 600 s in the middle of
                  a step.
        Type
          castellan operation abort op-zrqsekbyms5d
              try the undo again; what is done is not done again
          castellan operation abort op-zrqsekbyms5d --leave
              only if a host is gone for good: end it all the same"
    `);
  });

  test("cancelled", () => {
    expect(shown(cancelled)).toMatchInlineSnapshot(`
      "op-zrqsekbyms5d is cancelled
        It was cancelled before anything was touched.
        Type
          castellan status
              the cluster as it is now"
    `);
  });

  test("held since a restore of the journal: what is not known, and four ways on", () => {
    expect(shown(held)).toMatchInlineSnapshot(`
      "op-zrqsekbyms5d is paused
        It waits for you: whether srv159 became a node of ESHA since is not in this
        journal.
        Cause     INTERRUPTED: The journal was restored from a backup of
                  2026-11-22T02:00:00.000Z: what this operation did since is not in
                  it.
        Type
          castellan status
              is srv159 a node in use?
          castellan operation resume op-zrqsekbyms5d
              look at every step again and do what is missing
          castellan operation abort op-zrqsekbyms5d --leave
              end it; what it made on the hosts stays
          castellan operation abort op-zrqsekbyms5d --after-restore
              take back everything that it made, the database of srv159 included"
    `);
  });
});

test("a revert that succeeded names what waits for a restart", () => {
  const evidence = {
    alreadyDone: false,
    lines: ["/data/a.conf is as accepted", "waits for a restart of the server: max_connections"],
    files: [],
  };
  const change = { kind: "revert-file", subject: "srv127", state: "succeeded" } as const;
  const { steps, ...reverted } = operation(change, [["done"]]);
  const means = (record: OperationRecord) => operationEnd(record).means;
  expect(means({ ...reverted, steps: steps.map((step) => ({ ...step, evidence })) })).toBe(
    "The file on srv127 is as accepted; waits for a restart of the server: max_connections.",
  );
  expect(means({ ...reverted, steps })).toBe("The file on srv127 is as accepted.");
});

test("what agents advise holds for an operation that can't be resumed, too", () => {
  const agent = join(projectRoot(), "agent");
  const files = readdirSync(agent, { recursive: true, encoding: "utf8" });
  const sources = files.filter((file) => file.endsWith(".ts"));
  expect(sources.filter((file) => /\bresume\b/i.test(readFileSync(join(agent, file), "utf8")))).toEqual([]); // prettier-ignore
});

test("no line is wider than 80 columns but for a word or a command that must stay whole", () => {
  for (const record of [paused, rolledBack, needsAttention, cancelled, held]) {
    for (const line of renderEnd(record.id, operationEnd(record))) {
      if (line.trimStart().startsWith("castellan ")) continue;
      const isOneWord = !line.trim().includes(" ");
      expect(line.length <= 80 || isOneWord, line).toBe(true);
    }
  }
});

test("how it stands is the last that is printed, and the same is there as data", () => {
  const end = operationEnd(needsAttention);
  const lines = renderOperation({ ...needsAttention, end });
  expect(lines.slice(-renderEnd(needsAttention.id, end).length)).toEqual(
    renderEnd(needsAttention.id, end),
  );
  expect(end).toMatchObject({
    state: "needs-attention",
    cause: { code: "PROGRAM_FAILED" },
    step: { id: "start-database/srv159" },
    undone: ["open the hba of srv127", "start the database on srv159"],
    byHand: [{ step: "create-slot/srv127", what: expect.stringContaining("slot_srv159") }],
  });
  expect(end.choices[0]?.command).toBe("castellan operation abort op-zrqsekbyms5d");
});

test("a list says how far each came", () => {
  const { plan: _plan, steps: _steps, ...head } = paused;
  const lines = renderOperationList([{ ...head, stepsDone: 3, stepsPlanned: 4 }]);
  expect(lines[1]).toContain("paused  3/4");
});

test("wrapping keeps every word and the lines that are there", () => {
  expect(wrap("one two three\nfour", 8)).toEqual(["one two", "three", "four"]);
  expect(wrap("/a/very/long/path and", 5)).toEqual(["/a/very/long/path", "and"]);
  expect(wrap("", 5)).toEqual([""]);
});
