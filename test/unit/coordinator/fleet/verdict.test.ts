import fc from "fast-check";
import { expect, test } from "vitest";
import type { NodeStatus } from "#coordinator/api/contract.ts";
import { createCommandLine } from "#coordinator/cli/command-line.ts";
import type { JudgedCluster } from "#coordinator/fleet/finding-rule.ts";
import { findingRules } from "#coordinator/fleet/finding-rules.ts";
import { judgeCluster } from "#coordinator/fleet/verdict.ts";
import { cliContext, quiet } from "#test/unit/coordinator/cli/cli-context.ts";
import { someStatusCluster, unseen, walDisk } from "#test/unit/coordinator/some-status.ts";

type Edit = (node: NodeStatus) => NodeStatus;

function at(name: string, change: Partial<NodeStatus>): Edit {
  return (node) => (node.name === name ? { ...node, ...change } : node);
}

function atAll(...edits: readonly Edit[]): Edit {
  return (node) => edits.reduce((edited, edit) => edit(edited), node);
}

const away =
  (name: string): Edit =>
  (node) =>
    node.name === name ? unseen(node, "away") : node;
const stopped = { database: "stopped", role: null, isReceiving: false } as const;
const MiB = 1024 ** 2;

function said(cluster: JudgedCluster): string[] {
  const { state, findings } = judgeCluster(cluster);
  return [state, ...findings.map(({ rule, node }) => `${rule}${node === null ? "" : ` ${node}`}`)];
}

const cases: Readonly<Record<string, readonly [cluster: JudgedCluster, ...said: string[]]>> = {
  "a healthy cluster has no findings": [someStatusCluster(), "healthy"],
  "a standby whose server stopped": [
    someStatusCluster({}, at("srv129", stopped)),
    "degraded",
    "database-not-running srv129",
  ],
  "a primary whose server stopped: nobody can write": [
    someStatusCluster({}, at("srv127", stopped)),
    "down",
    "no-primary",
    "database-not-running srv127",
  ],
  "an agent that is away is unknown, not healthy": [
    someStatusCluster({}, away("srv159")),
    "degraded",
    "agent-away srv159",
  ],
  "the primary's agent is away, and standbys still receive from it: it lives": [
    someStatusCluster({ virtualAddresses: [{ of: "database", address: "10.0.0.9", on: [] }] }, atAll(away("srv127"), at("srv129", { lagBytes: null }), at("srv159", { lagBytes: null }))), // prettier-ignore
    "degraded",
    "agent-away srv127",
    "lag-unknown srv129",
    "lag-unknown srv159",
    "vip-unseen",
  ],
  "the primary's agent is away, and no standby receives a thing": [
    someStatusCluster({}, atAll(away("srv127"), at("srv129", { isReceiving: false, upstream: null }), at("srv159", { isReceiving: false, upstream: null }))), // prettier-ignore
    "down",
    "no-primary",
    "not-streaming srv129",
    "not-streaming srv159",
    "agent-away srv127",
  ],
  "nobody is there to be asked: unknown, which is not known to be down": [
    someStatusCluster({}, atAll(away("srv127"), away("srv129"), away("srv159"))),
    "degraded",
    "agent-away srv127",
    "agent-away srv129",
    "agent-away srv159",
  ],
  "two primaries": [
    someStatusCluster({}, at("srv129", { role: "primary", roleByFiles: "primary", timeline: 4 })),
    "down",
    "two-primaries",
  ],
  "a standby that a start would open as a primary": [
    someStatusCluster({}, at("srv159", { roleByFiles: "primary" })),
    "degraded",
    "files-contradict-role srv159",
  ],
  "a standby without a stream": [
    someStatusCluster({}, at("srv159", { isReceiving: false, upstream: null, lagBytes: null })),
    "degraded",
    "not-streaming srv159",
  ],
  "a standby on another timeline": [
    someStatusCluster({}, at("srv159", { timeline: 2 })),
    "degraded",
    "other-timeline srv159",
  ],
  "a standby that lags": [
    someStatusCluster({}, at("srv159", { lagBytes: 40 * MiB, lagMs: 12_000 })),
    "degraded",
    "lag-high srv159",
  ],
  "16 MiB are no lag yet": [
    someStatusCluster({}, at("srv159", { lagBytes: 16 * MiB, lagMs: 12_000 })),
    "healthy",
  ],
  "commits that wait are as good as no primary": [
    someStatusCluster({}, at("srv127", { synchronous: { names: "1 (srv129)", standbys: 0 } })),
    "down",
    "commits-wait srv127",
  ],
  "a slot near the end of its budget": [
    someStatusCluster({}, at("srv127", { slots: [{ name: "s", active: true, retainedBytes: 80, budgetBytes: 100 }] })), // prettier-ignore
    "degraded",
    "slot-near-budget srv127",
  ],
  "an idle slot that holds back WAL is no harm yet": [
    someStatusCluster({}, at("srv127", { slots: [{ name: "s", active: false, retainedBytes: 17 * MiB, budgetBytes: null }] })), // prettier-ignore
    "healthy",
    "slot-idle srv127",
  ],
  "a disk of WAL that is full soon": [
    someStatusCluster(
      {},
      at("srv127", { walDisk: { ...walDisk, freeBytes: 1024 * MiB, secondsToFull: 600 } }),
    ),
    "degraded",
    "wal-disk-full-soon srv127",
  ],
  "a busy minute on a disk with much free": [
    someStatusCluster({}, at("srv127", { walDisk: { ...walDisk, secondsToFull: 600 } })),
    "healthy",
  ],
  "one pool of two is stopped": [
    someStatusCluster({}, at("srv129", { ownPool: "stopped" })),
    "degraded",
    "pool-not-running srv129",
  ],
  "no pool runs: clients reach nobody": [
    someStatusCluster({}, atAll(at("srv127", { ownPool: "stopped" }), at("srv129", { ownPool: "unreachable" }))), // prettier-ignore
    "down",
    "no-pool",
  ],
  "a pool that sends writes to a standby": [
    someStatusCluster({}, atAll(
      at("srv127", { pools: [{ on: "srv127", status: "up", role: "primary" }, { on: "srv129", status: "up", role: "standby" }] }), // prettier-ignore
      at("srv129", { pools: [{ on: "srv127", status: "up", role: "standby" }, { on: "srv129", status: "up", role: "primary" }] }), // prettier-ignore
    )), // prettier-ignore
    "degraded",
    "pool-names-another srv129",
  ],
  "a node that streams and is down in a pool": [
    someStatusCluster({}, at("srv159", { pools: [{ on: "srv127", status: "down", role: "standby" }] })), // prettier-ignore
    "degraded",
    "pool-row-not-up srv159",
  ],
  "a virtual address on nobody": [
    someStatusCluster({ virtualAddresses: [{ of: "database", address: "10.0.0.9", on: [] }] }),
    "degraded",
    "vip-missing",
  ],
  "the virtual address of the database on a standby": [
    someStatusCluster({ virtualAddresses: [{ of: "database", address: "10.0.0.9", on: ["srv129"] }] }), // prettier-ignore
    "degraded",
    "vip-misplaced",
  ],
  "critical alerts degrade, warnings are only said": [
    someStatusCluster({ alerts: { critical: 1, warning: 2, info: 3 } }),
    "degraded",
    "critical-alerts",
    "warning-alerts",
  ],
  "an operation that waits for a person": [
    someStatusCluster({ operation: { id: "op-abc", state: "paused", subject: "srv159" } }),
    "degraded",
    "operation-waits",
  ],
  "an operation that runs is no finding": [
    someStatusCluster({ operation: { id: "op-abc", state: "running", subject: "srv159" } }),
    "healthy",
  ],
  "guards in different modes, and one in maintenance": [
    someStatusCluster({}, atAll(
      at("srv129", { guard: { mode: "observe", maintenance: null, findings: [] } }),
      at("srv159", { guard: { mode: "maintenance", maintenance: null, findings: [] } }),
    )), // prettier-ignore
    "healthy",
    "guard-in-maintenance srv159",
    "guard-modes-differ",
  ],
  "a declaration that can't be read": [
    someStatusCluster({ nodes: [], virtualAddresses: [], problem: "ESHA.yaml:3:1: no" }),
    "degraded",
    "declaration-unreadable",
  ],
};

test.each(Object.entries(cases))("%s", (_title, [cluster, ...expected]) => {
  expect(said(cluster)).toEqual(expected);
});

test("what a guard has found is said in its own words, unless the table says the same of that node", () => {
  const finding = { because: "b", severity: "critical", since: 1, would: [], evidence: "seen", next: "do it" } as const; // prettier-ignore
  const guard = (...rules: readonly string[]): NodeStatus["guard"] => ({
    mode: "observe",
    maintenance: null,
    findings: rules.map((rule) => ({ ...finding, rule, would: [] })),
  });
  const cluster = someStatusCluster({}, (node) => ({
    ...node,
    guard: guard(),
    ...(node.name === "srv127" ? { guard: guard("archiver-failing") } : {}),
    ...(node.name === "srv129" ? { ...stopped, guard: guard("database-dead") } : {}),
  }));
  const { findings } = judgeCluster(cluster);
  expect(findings.map(({ rule, node }) => `${rule} ${node}`)).toEqual([
    "database-not-running srv129",
    "archiver-failing srv127",
  ]);
  expect(findings[1]).toMatchObject({ area: "guard", found: "b: seen", next: "do it" });
});

test.each<readonly [string, JudgedCluster, string]>([
  ["it is only stopped", someStatusCluster({}, at("srv127", stopped)), "castellan why srv127"],
  ["all are stopped", someStatusCluster({}, (node) => ({ ...node, ...stopped })), "castellan cluster start ESHA --dry-run"], // prettier-ignore
  ["its host is gone", someStatusCluster({}, atAll(away("srv127"), at("srv129", { isReceiving: false }), at("srv159", { isReceiving: false, timeline: 4 }))), "castellan failover ESHA --to srv159 --force --dry-run"], // prettier-ignore
])("without a primary, what to type next: %s", (_title, cluster, next) => {
  expect(judgeCluster(cluster).findings[0]).toMatchObject({ rule: "no-primary", next });
});

test("every rule has an id of its own", () => {
  const ids = findingRules.map(({ rule }) => rule);
  expect(new Set(ids).size).toBe(ids.length);
});

test("every next command is one that castellan takes", () => {
  const program = createCommandLine(cliContext({}, quiet()));
  const commands = Object.values(cases).flatMap(([cluster]) =>
    judgeCluster(cluster).findings.map(({ next }) => next),
  );
  for (const next of new Set(commands)) {
    if (next.startsWith("systemctl status castellan-agent, on ")) continue;
    const [name, ...words] = next.split(" ");
    expect(name).toBe("castellan");
    let command = program;
    while (command.commands.length > 0) {
      const word = words.shift();
      const found = command.commands.find((one) => one.name() === word);
      if (found === undefined) throw new Error(`there is no such command: ${next}`);
      command = found;
    }
    const options = words.filter((word) => word.startsWith("--"));
    const known = command.options.map(({ long }) => long);
    expect(known).toEqual(expect.arrayContaining(options));
  }
});

const nodeEdits = fc.record(
  {
    agent: fc.constantFrom("connected", "away", "not-joined"),
    database: fc.constantFrom("running", "stopped", "absent", "unreachable"),
    role: fc.constantFrom("primary", "standby", null),
    isReceiving: fc.boolean(),
    lagBytes: fc.option(fc.nat(100 * MiB)),
    lagMs: fc.option(fc.nat()),
    ownPool: fc.constantFrom("running", "stopped", null),
    timeline: fc.option(fc.nat(9)),
  },
  { requiredKeys: [] },
);

test("whatever nodes say, a cluster with one that nobody sees or without exactly one primary is not healthy, and no finding lacks a word", () => {
  fc.assert(
    fc.property(fc.array(nodeEdits, { minLength: 3, maxLength: 3 }), (edits) => {
      const cluster = someStatusCluster({}, (node) => {
        const edit = edits[["srv127", "srv129", "srv159"].indexOf(node.name)] ?? {};
        const edited = { ...node, ...edit };
        return edited.agent === "connected" ? edited : unseen(edited, edited.agent);
      });
      const { state, findings } = judgeCluster(cluster);
      const primaries = cluster.nodes.filter(({ role, database }) => role === "primary" && database === "running"); // prettier-ignore
      const isWhole = cluster.nodes.every(({ database }) => database === "running");
      if (!isWhole || primaries.length !== 1) expect(state).not.toBe("healthy");
      if (primaries.length > 1) expect(state).toBe("down");
      if (state !== "healthy") expect(findings.some(({ makes }) => makes === state)).toBe(true);
      for (const { found, wanted, next } of findings) {
        expect(Math.min(found.length, wanted.length, next.length)).toBeGreaterThan(0);
        expect(`${found}${wanted}${next}`).not.toMatch(/undefined|NaN|\[object/);
      }
    }),
  );
});
