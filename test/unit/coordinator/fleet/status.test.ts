import { expect, test } from "vitest";
import { nodeStatuses, unassignedStatus } from "#coordinator/fleet/status.ts";
import type { AgentView } from "#coordinator/ports.ts";
import type { DatabaseFacts, GuardFinding, NodeFacts } from "#shared/domain/facts.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { someCluster } from "#test/integration/coordinator/some-plan.ts";
import { someSlot } from "#test/unit/database-facts.ts";

const whole = someFacts();
const slot = someSlot("slot_srv129", { restartLsn: null, retainedBytes: 0 });
const row = {
  applicationName: "srv129",
  clientAddress: "10.0.0.129",
  state: "streaming",
  syncState: "async",
  sentLsn: "0/3000100",
  writeLsn: "0/3000100",
  flushLsn: "0/3000100",
  replayLsn: "0/3000080",
};

function facts(database: Partial<DatabaseFacts>, change: Partial<NodeFacts> = {}): NodeFacts {
  return { ...whole, ...change, database: { ...whole.database, ...database } };
}

const primary = facts({ position: "0/3000100", replication: [row], slots: [slot] });
const standby = facts({
  role: "standby",
  position: "0/3000090",
  receiver: {
    status: "streaming",
    slot: "slot_srv129",
    conninfo: "host=10.0.0.127 port=5432 user=repl application_name=srv129",
    timeline: 1,
  },
});

test("a standby whose slot was dropped is told to need a rebuild, by the node that dropped it", () => {
  const dropped = {
    name: "slot_srv129",
    operationId: "op-12345678",
    forNode: "srv129",
    droppedAt: 5,
    rule: "slot-over-budget",
    reason: "it holds back 2 of 1 bytes of WAL",
    needsRebuild: true,
  };
  const agent = { ...whole.agent, droppedSlots: [dropped] };
  const lost = facts({ role: "standby", receiver: null });
  const views = { srv127: { ...primary, agent }, srv129: lost };
  const [first, second] = statuses(views);
  expect(first?.problems.rebuild).toBeNull();
  expect(second?.problems.rebuild).toBe(
    "its slot slot_srv129 was dropped on srv127 (slot-over-budget: it holds back 2 of 1 bytes of WAL)",
  );
  const spare = { ...agent, droppedSlots: [{ ...dropped, needsRebuild: false }] };
  expect(statuses({ ...views, srv127: { ...primary, agent: spare } })[1]?.problems.rebuild).toBeNull(); // prettier-ignore
});

function statuses(views: Readonly<Record<string, NodeFacts | null>>, away: readonly string[] = []) {
  const agents = new Map(
    Object.entries(views).map(([node, f]) => [node, view(node, f, !away.includes(node))]),
  );
  return nodeStatuses(someCluster, agents, 10_000);
}

function view(node: string, f: NodeFacts | null, connected = true): AgentView {
  const common = {
    node,
    connected,
    agentVersion: "0.1.0",
    clockOffsetMs: 0,
    lastSeenAt: 5,
    silentMs: null,
  };
  return { ...common, facts: f, factsAt: 4, factsAreCurrent: connected };
}

test("a standby's upstream, state, lag and slot come from both ends", () => {
  const [first, second] = statuses({ srv127: primary, srv129: standby });
  expect(first).toMatchObject({ role: "primary", upstream: null, lagBytes: null });
  expect(second).toMatchObject({
    role: "standby",
    upstream: "srv127",
    replicationState: "streaming",
    syncState: "async",
    lagBytes: 0x80,
    slotActive: true,
  });
});

test("a node whose agent is away is unknown, but its sender still tells of it", () => {
  const [, second] = statuses({ srv127: primary, srv129: standby }, ["srv129"]);
  expect(second).toMatchObject({
    agent: "away",
    database: "unknown",
    role: null,
    upstream: "srv127",
    replicationState: "streaming",
    lastSeenAt: 5,
  });
});

test("of a node without an agent, and of one whose facts have not come yet, nothing is known", () => {
  const [first, second] = statuses({ srv127: null });
  expect(first).toMatchObject({ agent: "connected", database: "unknown" });
  expect(second).toMatchObject({ agent: "not-joined", database: "unknown" });
});

test("a standby that streams from a host outside the cluster shows that address", () => {
  const stray = facts({ ...standby.database, receiver: { status: "streaming", slot: null, conninfo: "host=10.9.9.9 port=1", timeline: 1 } }); // prettier-ignore
  const [, second] = statuses({ srv127: primary, srv129: stray });
  expect(second).toMatchObject({ upstream: "10.9.9.9:1", lagBytes: null, replicationState: null });
});

test("lag is never negative: two hosts' facts are not of one moment", () => {
  const behind = facts({ ...primary.database, position: "0/3000000", replication: [row] });
  const [, second] = statuses({ srv127: behind, srv129: standby });
  expect(second?.lagBytes).toBe(0);
});

test("what is wrong is told in the words of the server, of the pool and of the guard", () => {
  const finding = { rule: "database-dead", because: "the postmaster is gone", severity: "critical" as const, since: 1, would: [], evidence: "" } satisfies GuardFinding; // prettier-ignore
  const broken = facts(
    { status: "unreachable", problem: "too many clients" },
    { guard: { mode: "observe", walDisk: null, findings: [finding], checks: [] } },
  );
  const [first] = statuses({ srv127: broken });
  expect(first?.problems.database).toBe("too many clients");
  expect(first?.guard?.findings).toEqual([finding]);
});

test("a standby is at most as late as the last commit it has replayed, by its primary's clock, and not at all with nothing left to replay", () => {
  const at = (replayedAt: number) => ({
    ...standby,
    database: { ...standby.database, replayedAt },
  });
  expect(statuses({ srv127: primary, srv129: at(4_000) })[1]?.lagMs).toBe(6_000);
  expect(statuses({ srv127: primary, srv129: standby })[1]?.lagMs).toBeNull();
  const through = facts({ ...primary.database, replication: [{ ...row, replayLsn: "0/3000100" }] });
  expect(statuses({ srv127: through, srv129: at(4_000) })[1]).toMatchObject({ lagBytes: 0, lagMs: 0 }); // prettier-ignore
});

test("files say as what a start would open the database, and synchronous standbys are counted as the primary does", () => {
  const marked = facts({ ...standby.database, hasStandbyMarker: true });
  const settings = { synchronous_standby_names: "1 (srv129)" };
  const waiting = facts({ ...primary.database, hasStandbyMarker: false, settings });
  const [first, second] = statuses({ srv127: waiting, srv129: marked });
  expect(first).toMatchObject({ roleByFiles: "primary", synchronous: { names: "1 (srv129)", standbys: 0 } }); // prettier-ignore
  expect(second).toMatchObject({ roleByFiles: "standby", isReceiving: true });
});

test("what every management node's pool says of a node is shown, absent rows and silent pools too", () => {
  const pool = { configFile: "/p", haModuleFile: null, pcpPort: 9898, port: 9999, socketDirectory: "/tmp" }; // prettier-ignore
  const declaration = { ...someCluster, nodes: someCluster.nodes.map((node) => ({ ...node, pool })) }; // prettier-ignore
  const poolRow = { id: 0, hostname: "10.0.0.127", port: 5432, status: "up", role: "primary", weight: 1 }; // prettier-ignore
  const running = { kind: "pgpool" as const, status: "running" as const, problem: null, pid: 1, version: null, rows: [poolRow], isLeader: true, clientSessions: 0, settings: {} }; // prettier-ignore
  const agents = new Map([["srv127", view("srv127", { ...primary, pool: running })]]);
  const [first, second] = nodeStatuses(declaration, agents, 0);
  expect(first?.pools).toEqual([
    { on: "srv127", status: "up", role: "primary" },
    { on: "srv129", status: "unknown", role: "" },
  ]);
  expect(second?.pools[0]).toEqual({ on: "srv127", status: "absent", role: "" });
});

test("a joined agent without a cluster shows what it says of itself", () => {
  expect(unassignedStatus(view("srv159", whole))).toMatchObject({
    name: "srv159",
    address: "10.0.0.1",
    port: 5432,
    database: "running",
  });
});
