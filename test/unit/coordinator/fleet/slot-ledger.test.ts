import { expect, test } from "vitest";
import type { NodeSlots, SlotLine } from "#coordinator/api/contract.ts";
import { renderSlots } from "#coordinator/cli/render/slots.ts";
import { slotLedger } from "#coordinator/fleet/slot-ledger.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { someCluster } from "#test/integration/coordinator/some-plan.ts";
import { someArchiver, someSlot } from "#test/unit/database-facts.ts";

const whole = someFacts();
const gib = 1024 ** 3;

type OwnSlot = NodeFacts["agent"]["ownSlots"][number];

function own(name: string, forNode: string, more: Partial<OwnSlot> = {}): OwnSlot {
  const madeAt = 10_000;
  const operationId = "op-12345678";
  return { name, forNode, operationId, walBudgetBytes: 2 * gib, madeAt, reserve: true, isSeen: true, isReplaced: false, ...more }; // prettier-ignore
}

function node(
  slots: NodeFacts["database"]["slots"],
  ownSlots: OwnSlot[] = [],
  more: Partial<NodeFacts["database"]> = {},
): NodeFacts {
  return {
    ...whole,
    agent: { ...whole.agent, ownSlots },
    database: { ...whole.database, slots, ...more },
  };
}

/** srv129 streams from srv127. */
function standby(slots: NodeFacts["database"]["slots"] = [], ownSlots: OwnSlot[] = []): NodeFacts {
  return node(slots, ownSlots, {
    role: "standby",
    receiver: {
      status: "streaming",
      slot: "slot_srv129",
      conninfo: "host=10.0.0.127 port=5432 application_name=srv129",
      timeline: 1,
    },
  });
}

function ledger(views: Readonly<Record<string, NodeFacts>>): readonly NodeSlots[] {
  const agents = new Map(
    Object.entries(views).map(([name, facts]) => [
      name,
      {
        node: name,
        connected: true,
        agentVersion: null,
        clockOffsetMs: 0,
        lastSeenAt: null,
        silentMs: null,
        facts,
        factsAt: 0,
        factsAreCurrent: true,
      },
    ]),
  );
  return slotLedger(someCluster, agents);
}

function lineOf(nodes: readonly NodeSlots[], on: string, name: string): SlotLine | undefined {
  return nodes.find((n) => n.node === on)?.slots.find(({ slot }) => slot === name);
}

test("a slot of ours has its owner, purpose, age and budget from the agent's ledger", () => {
  const slots = [someSlot("slot_srv129")];
  const nodes = ledger({ srv127: node(slots, [own("slot_srv129", "srv129")]), srv129: standby() });
  expect(lineOf(nodes, "srv127", "slot_srv129")).toMatchObject({
    isOurs: true,
    owner: "srv129",
    purpose: "upstream of srv129",
    since: 10_000,
    budgetBytes: 2 * gib,
    note: null,
  });
});

test("a slot on a node that its owner does not stream from holds nothing, or holds it for nobody", () => {
  const spare = [own("slot_srv129", "srv129", { reserve: false })];
  const purpose = (restartLsn: string | null): string | undefined => {
    const [first] = someCluster.nodes;
    if (first === undefined) throw new Error("no node");
    const srv159 = { ...first, name: "srv159", address: "10.0.0.159", slot: "slot_srv159" };
    const third = { ...someCluster, nodes: [...someCluster.nodes, srv159] };
    const agents = new Map(
      Object.entries({
        srv127: node([]),
        srv129: standby(),
        srv159: node([someSlot("slot_srv129", { active: false, restartLsn })], spare, {
          role: "standby",
        }),
      }).map(([name, facts]) => [name, { node: name, connected: true, agentVersion: null, clockOffsetMs: 0, lastSeenAt: null, silentMs: null, facts, factsAt: 0, factsAreCurrent: true }]), // prettier-ignore
    );
    return slotLedger(third, agents)[2]?.slots[0]?.purpose;
  };
  expect(purpose(null)).toBe("for a failover to srv159, holds nothing");
  expect(purpose("0/1000")).toBe("for nobody: srv129 streams from srv127");
});

test("a slot that is not ours is told with its age and what to type, and one in use is left alone", () => {
  const idle = someSlot("theirs", { active: false, client: null, madeAt: null });
  const busy = someSlot("cdc", { type: "logical", plugin: "wal2json", database: "erp" });
  const nodes = ledger({ srv127: node([idle, busy]), srv129: standby() });
  expect(lineOf(nodes, "srv127", "theirs")).toMatchObject({
    isOurs: false,
    owner: null,
    purpose: "unknown",
    since: 2_000,
    isSinceSeen: true,
    note: expect.stringContaining("on srv127: SELECT pg_drop_replication_slot('theirs')"),
  });
  expect(lineOf(nodes, "srv127", "cdc")).toMatchObject({
    purpose: "logical decoding (wal2json, database erp)",
    note: null,
  });
});

test("a slot that someone made under our slot's name is not ours", () => {
  const replaced = [own("slot_srv129", "srv129", { isReplaced: true })];
  const slots = [someSlot("slot_srv129", { active: false })];
  const nodes = ledger({ srv127: node(slots, replaced), srv129: standby() });
  expect(lineOf(nodes, "srv127", "slot_srv129")).toMatchObject({
    isOurs: false,
    owner: "srv129",
    budgetBytes: null,
    note: expect.stringContaining("never touched"),
  });
});

test("what is gone is shown too: dropped by someone, dropped by the budget, invalidated by the server", () => {
  const facts = node(
    [someSlot("slot_old", { walStatus: "lost", active: false, retainedBytes: null })],
    [own("slot_srv129", "srv129")],
  );
  const droppedSlots = [
    {
      name: "slot_srv159",
      operationId: "op-12345678",
      forNode: "srv159",
      droppedAt: 77_000,
      rule: "slot-over-budget",
      reason: "it holds back 3 of 2 bytes of WAL",
      needsRebuild: true,
    },
  ];
  const dropped = { ...facts, agent: { ...facts.agent, droppedSlots } };
  const nodes = ledger({ srv127: dropped, srv129: standby() });
  expect(lineOf(nodes, "srv127", "slot_srv129")).toMatchObject({ state: "missing" });
  expect(lineOf(nodes, "srv127", "slot_old")).toMatchObject({ state: "lost" });
  expect(lineOf(nodes, "srv127", "slot_srv159")).toMatchObject({
    state: "dropped",
    since: 77_000,
    note: expect.stringMatching(/slot-over-budget.*castellan node add ESHA srv159/),
  });
});

test("the screen has a line a slot, what is wrong with it, the WAL's disk and the archiver", () => {
  const srv127 = node(
    [
      someSlot("slot_srv129", { retainedBytes: 3 * 1024 ** 2, client: "srv129 10.0.0.129" }),
      someSlot("theirs", { active: false, client: null, retainedBytes: gib, xminAge: 4_711 }),
    ],
    [own("slot_srv129", "srv129")],
    {
      archiver: someArchiver({
        failedCount: 2,
        lastFailedWal: "0000000100000000000000AB",
        lastFailedAt: 0,
        backlog: { count: 3, bytes: 3 * 2 ** 24, oldestWal: null, isCut: false },
      }),
    },
  );
  const walDisk = {
    directory: "/wal/pg_wal",
    freeBytes: 12 * gib,
    totalBytes: 40 * gib,
    fillBytesPerSecond: 1024 ** 2,
    secondsToFull: 12_288,
  };
  const nodes = ledger({ srv127: { ...srv127, guard: { ...srv127.guard, walDisk } } });
  const lines = renderSlots({ at: 70_000, clusters: [{ name: "ESHA", problem: null, nodes }] });
  expect(lines).toEqual([
    "ESHA",
    "NODE    SLOT         OWNER                 STATE                      RETAINED  BUDGET   XMIN AGE  SINCE          PURPOSE",
    "srv127  slot_srv129  srv129 (op-12345678)  active: srv129 10.0.0.129  3.0 MiB   2.0 GiB  -         1 min 0 s ago  upstream of srv129",
    "srv127  theirs       not ours              inactive                   1.0 GiB   -        4711      1 min 9 s ago  unknown",
    "  srv127: theirs: not ours, inactive, and it holds back WAL. If nobody needs it, on srv127: SELECT pg_drop_replication_slot('theirs')",
    "  srv127: WAL in /wal/pg_wal: 12.0 GiB free of 40.0 GiB, fills by 1.0 MiB/s, full in 3 h 24 min",
    "  srv127: archiver: 3 segments wait (48.0 MiB), nothing archived yet, failed 2 times, last for 0000000100000000000000AB at 1970-01-01 00:00:00Z",
    "  srv129: its agent is not joined, so nothing is known of its slots",
  ]);
});

test("no clusters and unreadable declarations are said", () => {
  expect(renderSlots({ at: 0, clusters: [] })).toEqual(["No cluster is declared."]);
  const broken = { name: "ESHA", problem: "ESHA.yaml:3:1 is no YAML", nodes: [] };
  expect(renderSlots({ at: 0, clusters: [broken] })).toEqual([
    "ESHA",
    "  ESHA.yaml:3:1 is no YAML",
  ]);
});
