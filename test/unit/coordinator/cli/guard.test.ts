import { expect, test } from "vitest";
import type { GuardMoment, NodeGuard } from "#coordinator/api/guard-contract.ts";
import { renderGuards, renderMaintenance } from "#coordinator/cli/render/guard.ts";
import { parseTime } from "#coordinator/cli/render/units.ts";
import { renderWhy } from "#coordinator/cli/render/why.ts";

const long = "a reason that goes on and on, ".repeat(12);

const moment: GuardMoment = {
  node: "srv129",
  at: 90_000,
  decidedAt: 60_000,
  decisions: [
    {
      id: "d1",
      at: 60_000,
      node: "srv129",
      rule: "database-dead",
      because: "the database ended without a clean stop",
      evidence: long,
      class: "database",
      steps: [{ do: "write-standby-marker" }, { do: "start-database" }],
      outcome: "held",
      why: "maintenance until 1970-01-01T01:00:00.000Z, by dba@host (disks)",
    },
  ],
  inputs: {
    database: { status: "stopped", role: null, hasStalePid: true },
    slots: [{ name: "slot_srv159", active: false, retainedBytes: 5 }],
    replication: [],
  },
  nearMisses: [{ rule: "archiver-behind", evidence: "600 bytes wait", missing: "1000 bytes" }],
  standing: [{ rule: "database-dead", because: "", evidence: long, since: 60_000 }],
};

const none = { subject: "srv129", lines: [], events: [], alerts: [] };

test("a moment shows the rule that fired, its steps, the facts, and what nearly fired, on 80 columns", () => {
  const lines = renderWhy({ ...none, moment });
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  const text = lines.join("\n");
  expect(lines[0]).toBe(
    "srv129 at 1970-01-01 00:01:30Z: its guard last decided at 1970-01-01 00:01:00Z",
  );
  expect(text).toMatch(/database-dead fired\n +because +the database ended/);
  expect(text).toMatch(/steps +write a standby marker[^]*start the database/);
  expect(text).toMatch(/outcome +held back\n +why +maintenance until/);
  expect(text).toMatch(/database +status: stopped, hasStalePid: true\n/);
  expect(text).toMatch(/slots +name: slot_srv159, active: false, retainedBytes: 5\n/);
  expect(text).not.toContain("replication");
  expect(text).toMatch(/archiver-behind\n +seen +600 bytes wait\n +missing +1000 bytes/);
  expect(text).toContain("database-dead since 1970-01-01 00:01:00Z");
});

test("what is known now stands before what was decided last, and is all there is where nothing was", () => {
  const lines = ["its agent is connected"];
  expect(renderWhy({ ...none, lines, moment: null })).toEqual(lines);
  expect(renderWhy({ ...none, lines, moment }).slice(0, 2)).toEqual([...lines, ""]);
  const [first = "", second = ""] = renderWhy({ ...none, lines: [`  ${long}`], moment: null });
  expect([first.slice(0, 3), second.slice(0, 7)]).toEqual(["  a", "      g"]);
  expect(Math.max(first.length, second.length)).toBeLessThanOrEqual(80);
});

const finding = { rule: "database-dead", because: "", severity: "critical", since: 1, would: ["start the database"], evidence: long, next: "its log says why" } as const; // prettier-ignore
const check = { name: "rehash", schedule: "", lastRunAt: 1, lastResult: "failed: no space; next never" }; // prettier-ignore
const inMaintenance: NodeGuard = {
  node: "srv129",
  agent: "connected",
  lastSeenAt: 1,
  vendorLines: [],
  lastDecision: null,
  guard: {
    mode: "maintenance",
    maintenance: { until: 3_600_000, by: "dba@host", note: "disks" },
    nearMisses: moment.nearMisses,
    walDisk: null,
    findings: [{ ...finding, would: [...finding.would] }],
    checks: [check, { ...check, name: "host", lastResult: "looked at; next soon" }],
  },
};

test("each node's mode, findings, near misses and checks are on 80 columns", () => {
  const away: NodeGuard = { ...inMaintenance, node: "srv159", agent: "away", lastSeenAt: 0, guard: null }; // prettier-ignore
  const older: NodeGuard = {
    ...inMaintenance,
    node: "srv127",
    guard: { mode: "observe", walDisk: null, findings: [], checks: [] },
  };
  const nodes = [inMaintenance, older, away];
  const lines = renderGuards({ at: 1, clusters: [{ name: "ESHA", problem: null, nodes }] });
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  const text = lines.join("\n");
  expect(text).toContain("srv129  maintenance until 1970-01-01 01:00:00Z, by dba@host (disks)");
  expect(text).toMatch(/critical +database-dead since[^]*would +start the database/);
  expect(text).toMatch(/next +its log says why/);
  expect(text).toMatch(/nearly +archiver-behind/);
  expect(text).toMatch(/2 checks\n +rehash +failed: no space/);
  expect(text).toContain("srv127  observe\n");
  expect(text).toContain("srv159  its agent is away since 1970-01-01 00:00:00Z");
});

test("in charge it is told what a rule does, how far that is, and what is left to whom", () => {
  const { guard } = inMaintenance;
  if (guard === null) throw new Error("it has one");
  const findings = guard.findings.map((one) => ({ ...one, progress: "waits: op-abc works on this node (database)" })); // prettier-ignore
  const reserved = (["database", "role"] as const).map((each) => ({ class: each, by: "op-abc" }));
  const inCharge: NodeGuard = { ...inMaintenance, guard: { ...guard, mode: "enforce", findings, reserved } }; // prettier-ignore
  const lines = renderGuards({
    at: 1,
    clusters: [{ name: "ESHA", problem: null, nodes: [inCharge] }],
  });
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  const text = lines.join("\n");
  expect(text).toMatch(/srv129 {2}enforce\n +left +database, role to op-abc\n/);
  expect(text).toMatch(/does +start the database\n +now +waits: op-abc works on this node/);
});

test("each node shows the vendor's lines, what of the vendor's works there, and the last decision", () => {
  const { guard } = inMaintenance;
  if (guard === null) throw new Error("it has one");
  const file = "/etc/cron.d/KINGBASECRON";
  const rewind = {
    script: "network_rewind.sh",
    state: "commented",
    places: [`${file}:1`],
  } as const;
  const restart = { script: "restartcluster.sh", state: "missing", places: [] } as const;
  const atWork = { ...guard, vendorAtWork: "network_rewind.sh runs (pid 42)" };
  const last = { at: 60_000, rule: "upstream-moved", because: long, outcome: "done" } as const;
  const show = (more: Partial<NodeGuard>): string => {
    const node = { ...inMaintenance, guard: atWork, ...more };
    const lines = renderGuards({ at: 1, clusters: [{ name: "ESHA", problem: null, nodes: [node] }] }); // prettier-ignore
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    return lines.join("\n");
  };
  const commented = show({ vendorLines: [rewind, restart], lastDecision: last });
  expect(commented).toMatch(/vendor +network_rewind\.sh commented \/etc\/cron\.d\/KINGBASECRON:1\n +restartcluster\.sh missing\n +at work +network_rewind\.sh runs \(pid 42\)\n/); // prettier-ignore
  expect(commented).toMatch(/last +1970-01-01 00:01:00Z upstream-moved: done, because a reason/);
  const places = [`${file}:1`, "/etc/crontab:9"];
  const twice = show({ vendorLines: [{ ...rewind, state: "twice", places }, restart] });
  expect(twice).toMatch(
    /network_rewind\.sh twice \/etc\/cron\.d\/KINGBASECRON:1\n +\/etc\/crontab:9\n/,
  );
  expect(twice).not.toContain("at work");
});

test("a decision that was carried out says what was seen then", () => {
  const [decision] = moment.decisions;
  if (decision === undefined) throw new Error("there is one");
  const decisions = [{ ...decision, outcome: "done" as const, why: "it runs (90 ms)" }];
  const text = renderWhy({ ...none, moment: { ...moment, decisions } }).join("\n");
  expect(text).toMatch(/outcome +done\n +seen then +it runs \(90 ms\)/);
});

test("maintenance says of each node what it is now, and of one that was not reached what to do", () => {
  const failure = { code: "NODE_UNREACHABLE", message: "It is away.", hint: "start it", evidence: [], retryable: true } as const; // prettier-ignore
  const guard = { mode: "maintenance", until: 0, by: "dba", note: null } as const;
  const lines = renderMaintenance({
    nodes: [
      { node: "srv127", guard, failure: null },
      { node: "srv129", guard: { ...guard, mode: "observe", until: null }, failure: null },
      { node: "srv159", guard: null, failure: { ...failure, evidence: [] } },
    ],
  });
  expect(lines).toEqual([
    "srv127: maintenance until 1970-01-01 00:00:00Z, by dba; alerts of its guard are muted until then",
    "srv129: observe",
    "srv159: as it was: It is away.",
    "  next: start it",
  ]);
});

test("a time is read as it is printed, in UTC where no zone is said, and nothing else is a time", () => {
  expect(parseTime("1970-01-01 00:01:30Z")).toBe(90_000);
  expect(parseTime("1970-01-01T00:01")).toBe(60_000);
  expect(parseTime("1970-01-01 08:00+08:00")).toBe(0);
  for (const text of ["", "now", "1970-01-01", "12:00", "1970-13-01 00:00", "1970-01-01 25:00"]) {
    expect(parseTime(text)).toBeNull();
  }
});
