import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Rule } from "#agent/decide/rules/rule.ts";
import { openDecisionRing } from "#agent/guard/decision-ring.ts";
import type { GuardExecutor } from "#agent/guard/steps/step.ts";
import { Failure } from "#shared/errors.ts";
import { Decision, type GuardStep } from "#shared/domain/guard.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { held } from "#test/integration/agent/open-command-runner.ts";
import { openPorts } from "#test/integration/agent/real-ports.ts";
import { primary, threeNodes, view } from "#test/unit/agent/decide/view-builder.ts";
import { openEngine } from "./engine-bed.ts";

const dead = view(primary({ status: "stopped", hasStandbyMarker: true }));
const well = view(primary());

/** A row that holds while the database is stopped. */
function row(id: string, touches: Rule["class"], steps: readonly GuardStep[], looks = 1): Rule {
  return {
    id,
    because: "it is stopped",
    severity: "warning",
    looks,
    class: touches,
    when: ({ facts }) => (facts.database.status === "stopped" ? "gone" : null),
    steps: () => steps,
    next: "",
  };
}

const start = row("dead", "database", [{ do: "start-database" }]);

/** Says what it was called for, and ends when the test lets it. */
function fake<D extends GuardStep["do"]>(
  calls: string[],
  hold?: Promise<unknown>,
): GuardExecutor<D> {
  return async (step, { signal }) => {
    calls.push(step.do);
    if (hold !== undefined) {
      await new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        hold.then(resolve, reject);
      });
    }
    return `${step.do} seen`;
  };
}

test("a decision is on disk as begun before its first step, and its end takes its place", async () => {
  await using home = await openPorts();
  const kept: string[] = [];
  const file = join(home.ports.settings.stateDirectory, "decisions.jsonl");
  await using bed = await openEngine(home, {
    rules: [start],
    executors: {
      "start-database": async () => {
        kept.push(await readFile(file, "utf8"));
        return "it runs";
      },
    },
  });
  await bed.look(dead);
  await waitFor(() => bed.ends() === 1);
  expect(kept.map((text) => JSON.parse(text))).toMatchObject([{ outcome: "begun", rule: "dead" }]);
  expect(bed.ring.recent()).toMatchObject([{ outcome: "done", why: "it runs (0 ms)" }]);
  expect((await openDecisionRing(home.ports.settings.stateDirectory)).recent()).toEqual(bed.ring.recent()); // prettier-ignore
});

test("a step that fails is the last, is told with its reason, and is tried again after a rest", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  await using bed = await openEngine(home, {
    rules: [row("dead", "database", [{ do: "write-standby-marker" }, { do: "start-database" }])],
    executors: {
      "write-standby-marker": async () => {
        calls.push("write-standby-marker");
        throw new Failure("REFUSED", "a server runs");
      },
      "start-database": fake(calls),
    },
  });
  await bed.look(dead);
  await waitFor(() => bed.ends() === 1);
  expect(bed.ring.recent()).toMatchObject([
    { outcome: "failed", why: "write-standby-marker: a server runs (0 ms)" },
  ]);
  await bed.look(dead);
  expect([bed.said(), bed.engine.progressOf("dead")]).toEqual([["dead failed"], expect.stringMatching(/^waits: again from/)]); // prettier-ignore
  bed.time.elapsedMs += 5_000;
  await bed.look(dead);
  await waitFor(() => bed.ends() === 2);
  expect(calls).toEqual(["write-standby-marker", "write-standby-marker"]);
});

test("of a lane one rule is at work at a time, in the order of the table; another lane goes on beside it", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const hold = held();
  await using bed = await openEngine(home, {
    rules: [
      row("one", "database", [{ do: "start-database" }]),
      row("two", "role", [{ do: "repoint", node: "srv127", host: "192.168.4.127", port: 5432 }]),
      row("three", "pool", [{ do: "restart-pool" }]),
    ],
    executors: {
      "start-database": fake(calls, hold.promise),
      repoint: fake(calls),
      "restart-pool": fake(calls),
    },
  });
  await bed.look(dead);
  await waitFor(() => bed.ends() === 1);
  await bed.look(dead);
  expect(calls.toSorted()).toEqual(["restart-pool", "start-database"]);
  expect(bed.engine.progressOf("two")).toBe("waits: after one");
  let isAtRest = false;
  const atRest = bed.engine.atRest(["role"]).then(() => (isAtRest = true));
  await bed.engine.atRest(["vip"]);
  expect(isAtRest).toBe(false);
  const beganMs = bed.time.elapsedMs;
  hold.release();
  await atRest;
  // What this look saw may be from before the server was started.
  await bed.look(dead, { beganMs });
  expect(calls).not.toContain("repoint");
  await bed.look(dead, { beganMs: bed.time.elapsedMs + 1 });
  await waitFor(() => calls.includes("repoint"));
});

test("what this very look does not show is not acted on, though its finding still stands", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  await using bed = await openEngine(home, {
    rules: [row("dead", "database", [{ do: "start-database" }], 2)],
    executors: { "start-database": fake(calls) },
  });
  bed.mode = { ...bed.mode, mode: "observe" };
  await bed.look(dead);
  await bed.look(dead);
  bed.mode = { ...bed.mode, mode: "enforce" };
  await bed.look(well);
  expect([calls, bed.said()]).toEqual([[], ["dead would"]]);
});

test("what is not done is said once for each reason, and again when the finding comes anew", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  await using bed = await openEngine(home, {
    rules: [start],
    executors: { "start-database": fake(calls) },
  });
  const looks = async (): Promise<void> => {
    for (let look = 0; look < 3; look += 1) await bed.look(dead);
  };
  bed.mode = { ...bed.mode, mode: "observe" };
  await looks();
  bed.mode = { mode: "maintenance", until: 2_000_000, by: "dba", note: null };
  await looks();
  bed.mode = { mode: "enforce", until: null, by: "dba", note: null };
  const reservation = bed.reservations.hold("op-a", ["database"]);
  await looks();
  expect(bed.ring.recent()).toMatchObject([
    { outcome: "would", why: null },
    { outcome: "held", why: expect.stringContaining("maintenance until") },
    { outcome: "held", why: "op-a works on this node (database)" },
  ]);
  await bed.look(well);
  await looks();
  expect(bed.said()).toHaveLength(4);
  reservation[Symbol.dispose]();
  expect(calls).toEqual([]);
});

test("after a restart a finding that stood has had its say; what was begun has failed, and counts on", async () => {
  await using home = await openPorts();
  const { stateDirectory, guard } = home.ports.settings;
  const cut: string[] = [];
  const first = await openEngine(home, {
    rules: [start],
    executors: { "start-database": fake(cut, new Promise(() => undefined)) },
  });
  await first.look(dead);
  await waitFor(() => cut.length === 1);
  const ring = await openDecisionRing(stateDirectory);
  expect(ring.recent()).toMatchObject([
    { outcome: "failed", why: "the agent was restarted meanwhile" },
  ]);
  const finding = { rule: "dead", because: "", severity: "warning", since: 1, would: [], evidence: "" } as const; // prettier-ignore
  const calls: string[] = [];
  await using again = await openEngine(home, {
    rules: [start],
    executors: { "start-database": fake(calls) },
    findings: [{ ...finding, would: [] }],
    ring,
    startsAt: first.time.elapsedMs,
  });
  const most = guard.actions.most - 1;
  for (let turn = 1; turn <= most; turn += 1) {
    again.time.elapsedMs += 5_000;
    await again.look(dead);
    await waitFor(() => again.ends() === turn);
  }
  again.time.elapsedMs += 5_000;
  await again.look(dead);
  expect(calls).toHaveLength(most);
  expect(again.engine.progressOf("dead")).toMatch(/done 5 times within 600 s/);
  await first[Symbol.asyncDispose]();
});

test("an operation that comes between two steps stops what follows", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const hold = held();
  await using bed = await openEngine(home, {
    rules: [row("dead", "database", [{ do: "write-standby-marker" }, { do: "start-database" }])],
    executors: {
      "write-standby-marker": fake(calls, hold.promise),
      "start-database": fake(calls),
    },
  });
  await bed.look(dead);
  await waitFor(() => calls.length === 1);
  bed.reservations.take("op-a", ["database"], 15_000);
  hold.release();
  await waitFor(() => bed.ends() === 1);
  expect(calls).toEqual(["write-standby-marker"]);
  expect(bed.ring.recent()).toMatchObject([
    { outcome: "failed", why: expect.stringContaining("start-database: op-a works on this node") },
  ]);
});

test("a check of the vendor's that comes back between two steps stops what follows", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const hold = held();
  await using bed = await openEngine(home, {
    rules: [row("dead", "database", [{ do: "write-standby-marker" }, { do: "start-database" }])],
    executors: {
      "write-standby-marker": fake(calls, hold.promise),
      "start-database": fake(calls),
    },
  });
  await bed.look(dead);
  await waitFor(() => calls.length === 1);
  await bed.look({ ...dead, vendorAtWork: "network_rewind.sh runs (pid 7)" });
  hold.release();
  await waitFor(() => bed.ends() === 1);
  expect(calls).toEqual(["write-standby-marker"]);
  expect(bed.ring.recent()).toMatchObject([
    { outcome: "failed", why: expect.stringContaining("network_rewind.sh runs (pid 7)") },
  ]);
});

test("an agent that stops takes its steps back, and says so", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const bed = await openEngine(home, {
    rules: [start],
    executors: { "start-database": fake(calls, new Promise(() => undefined)) },
  });
  await bed.look(dead);
  await waitFor(() => calls.length === 1);
  await bed[Symbol.asyncDispose]();
  expect(bed.ring.recent()).toMatchObject([
    { outcome: "failed", why: expect.stringContaining("the agent was stopped meanwhile") },
  ]);
});

const leaves = row("left", "sync", [{ do: "synchronous", names: "", notPromotable: ["srv129"] }]);
const noPool = { ...dead, cluster: threeNodes({ poolKind: "none" }) };

test("without a pool commits wait until the coordinator has recorded who may not be promoted", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  await using bed = await openEngine(home, {
    rules: [leaves],
    executors: { synchronous: fake(calls) },
  });
  await bed.look({ ...noPool, coordinatorConnected: false });
  expect(bed.ring.recent()).toMatchObject([
    { outcome: "held", why: expect.stringContaining("the coordinator has to record first") },
  ]);
  await bed.look(noPool);
  const [, begun] = await waitFor(() => (bed.said().length === 2 ? bed.ring.recent() : null));
  await waitFor(() => bed.ring.waiting().some(({ id }) => id === begun?.id));
  bed.ring.acknowledge(begun?.id ?? "", "held");
  expect(calls).toEqual([]);
  bed.ring.acknowledge(begun?.id ?? "", "begun");
  await waitFor(() => bed.ends() === 1);
  expect([calls, bed.said()]).toEqual([["synchronous"], ["left held", "left done"]]);
});

test("an acknowledgment that nobody gives holds the decision back, and nothing was done", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  await using bed = await openEngine(home, {
    rules: [leaves],
    executors: { synchronous: fake(calls) },
    takenWithinMs: 10,
  });
  await bed.look(noPool);
  await waitFor(() => bed.ends() === 1);
  expect([calls, bed.said()]).toEqual([[], ["left held"]]);
});

test("where its decision can't be kept nothing is done but what takes a host out of harm's way", async () => {
  await using home = await openPorts();
  const file = join(home.ports.settings.stateDirectory, "decisions.jsonl");
  const calls: string[] = [];
  await using bed = await openEngine(home, {
    rules: [start, row("address", "vip", [{ do: "drop-vip" }])],
    executors: { "start-database": fake(calls), "drop-vip": fake(calls) },
  });
  await rm(file, { force: true });
  await mkdir(file);
  await bed.look(dead);
  await waitFor(() => bed.ends() === 2);
  expect(calls).toEqual(["drop-vip"]);
  expect(bed.said()).toEqual(["dead failed", "address done"]);
});

test("where its decision can't be kept a second primary is stopped and marked all the same", async () => {
  await using home = await openPorts();
  const file = join(home.ports.settings.stateDirectory, "decisions.jsonl");
  const calls: string[] = [];
  const steps = [{ do: "stop-database", mode: "fast" }, { do: "write-standby-marker" }] as const;
  await using bed = await openEngine(home, {
    rules: [row("second", "role", steps)],
    executors: { "stop-database": fake(calls), "write-standby-marker": fake(calls) },
  });
  await rm(file, { force: true });
  await mkdir(file);
  await bed.look(dead);
  await waitFor(() => bed.ends() === 1);
  expect(calls).toEqual(["stop-database", "write-standby-marker"]);
});

test("a step that could not take the address off does not keep the server running", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  await using bed = await openEngine(home, {
    rules: [row("cut", "database", [{ do: "drop-vip" }, { do: "stop-database", mode: "fast" }])],
    executors: {
      "drop-vip": async () => {
        throw new Failure("PROGRAM_FAILED", "sudo: a password is required");
      },
      "stop-database": fake(calls),
    },
  });
  await bed.look(dead);
  await waitFor(() => bed.ends() === 1);
  expect(calls).toEqual(["stop-database"]);
  expect(bed.ring.recent()).toMatchObject([
    { outcome: "done", why: expect.stringContaining("drop-vip: sudo: a password is required") },
  ]);
});

test("an agent that stood still stops nothing by what it saw before", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  await using bed = await openEngine(home, {
    rules: [row("cut", "database", [{ do: "drop-vip" }, { do: "stop-database", mode: "fast" }])],
    executors: {
      "drop-vip": async () => {
        bed.time.elapsedMs += 60_000;
        return "dropped";
      },
      "stop-database": fake(calls),
    },
  });
  await bed.look(dead);
  await waitFor(() => bed.ends() === 1);
  expect(calls).toEqual([]);
  expect(bed.ring.recent()).toMatchObject([
    { outcome: "failed", why: expect.stringMatching(/^stop-database: it was seen 60 s ago/) },
  ]);
});

test("the end of a decision names what its steps edited, however it ended", async () => {
  await using home = await openPorts();
  const path = join(home.folder, "data", "server.conf");
  await mkdir(join(home.folder, "data"), { recursive: true });
  await home.ports.files.replace(path, "a = 1\n");
  const from = (await home.ports.files.read(path))?.hash;
  await using bed = await openEngine(home, {
    rules: [start],
    executors: {
      "start-database": async (_step, { files }) => {
        await files.replace(path, "a = 2\n");
        throw new Failure("REFUSED", "not today");
      },
    },
  });
  await bed.look(dead);
  await waitFor(() => bed.ends() === 1);
  const hash = (await home.ports.files.read(path))?.hash;
  expect(bed.ring.recent()).toMatchObject([{ outcome: "failed", files: [{ path, hash, from }] }]);
});

test("more steps than a decision may hold are done at the next look", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const attaches = Array.from({ length: 20 }, (_, id): GuardStep => ({ do: "attach-backend", id }));
  await using bed = await openEngine(home, {
    rules: [row("down", "pool-row", attaches)],
    executors: { "attach-backend": fake(calls) },
  });
  await bed.look(dead);
  await waitFor(() => bed.ends() === 1);
  expect(bed.ring.recent().map((one) => Decision.safeParse(one).success)).toEqual([true]);
  expect(calls).toHaveLength(16);
});
