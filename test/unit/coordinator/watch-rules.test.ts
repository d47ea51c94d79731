import { expect, test, vi, beforeEach, afterEach } from "vitest";
import type { AgentView, LoadedCluster } from "#coordinator/ports.ts";
import { createRuleWatch, type RuleWatchPorts } from "#coordinator/watch-rules.ts";
import type { AlertInput, AlertRecord } from "#coordinator/store/store.ts";
import { ofNoRule } from "./alert-builder.ts";
import { append, file, inFile, module } from "./rules/edits.ts";
import { ruleWorld } from "./rules/rule-world.ts";
import type { World } from "./world.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Bed = {
  readonly world: World;
  readonly watch: ReturnType<typeof createRuleWatch>;
  readonly open: Map<string, AlertRecord>;
  /** Every write to the journal. */
  readonly writes: string[];
  isBusy: boolean;
  observed: string[];
  /** Whether the agents answer when they are asked to look again. */
  answers: Promise<void>;
};

function bed(): Bed {
  const world = ruleWorld();
  const open = new Map<string, AlertRecord>();
  const writes: string[] = [];
  const state: Bed = {
    world,
    open,
    writes,
    isBusy: false,
    observed: [],
    answers: Promise.resolve(),
    get watch() {
      return watch;
    },
  };
  const loaded: LoadedCluster = { file: "", yaml: "", hash: "h", declaration: world.declaration };
  const raise = (alert: AlertInput): AlertRecord => {
    const record: AlertRecord = { ...ofNoRule, id: open.size + 1, state: "open", firstSeenAt: 0, lastSeenAt: 0, count: 1, ...alert }; // prettier-ignore
    open.set(alert.cause, record);
    writes.push(`raise ${alert.cause}`);
    return record;
  };
  const ports: RuleWatchPorts = {
    store: {
      alerts: () => [...open.values()],
      raiseAlert: raise,
      resolveAlert: (cause) => {
        open.delete(cause);
        writes.push(`resolve ${cause}`);
      },
      // Only whether there is one is looked at.
      leaseHolder: () => (state.isBusy ? ({} as never) : null),
    },
    clock: { now: () => 0, elapsedMs: () => 0, sleep: () => Promise.resolve() },
    log: { debug: () => undefined, warn: () => undefined } as never, // nothing else is called
    clusterFiles: { names: () => ["ESHA"], load: () => loaded },
    agents: {
      view: (node) => world.agents.get(node) ?? null,
      observe: (node) => {
        state.observed.push(node);
        return state.answers;
      },
    },
  };
  const watch = createRuleWatch(ports);
  return state;
}

function tell(state: Bed, ...nodes: readonly string[]): void {
  for (const node of nodes) state.watch.factsChanged(node);
}

const breakName = module("srv129", 'NODE_NAME="srv129"', 'NODE_NAME="srv127"');
const mendName = module("srv129", 'NODE_NAME="srv127"', 'NODE_NAME="srv129"');

test("a breach is one alert for each cause within the time of gathering, and over when it is mended", async () => {
  const state = bed();
  tell(state, "srv127", "srv129");
  await vi.advanceTimersByTimeAsync(100);
  expect(state.writes).toEqual([]);

  breakName(state.world);
  tell(state, "srv129", "srv129", "srv127");
  await vi.advanceTimersByTimeAsync(60);
  const copies = ["db/etc/HAmodule.conf", "kingbasecluster/etc/HAmodule.conf"];
  const causes = copies.map((copy) => `rule:ESHA:node-name:srv129:${copy}`);
  expect(state.writes).toEqual(causes.map((cause) => `raise ${cause}`));
  expect(state.open.get(causes[0] ?? "")).toMatchObject({
    rule: "node-name",
    severity: "critical",
    node: "srv129",
    file: "/home/kingbase/cluster/ESHA/db/etc/HAmodule.conf",
    fix: expect.stringContaining("Correct it"),
  });

  // The same again is no news.
  tell(state, "srv127", "srv129");
  await vi.advanceTimersByTimeAsync(20_000);
  expect(state.writes).toHaveLength(2);

  mendName(state.world);
  tell(state, "srv129");
  await vi.advanceTimersByTimeAsync(60);
  expect([...state.open]).toEqual([]);
});

test("what an operation is at is judged when it has ended and every node has told of it", async () => {
  const state = bed();
  tell(state, "srv127", "srv129");
  state.isBusy = true;
  breakName(state.world);
  tell(state, "srv129");
  await vi.advanceTimersByTimeAsync(60);
  expect(state.writes).toEqual([]);

  // Its lease is free before its last edit is told of.
  let answer = (): void => undefined;
  state.answers = new Promise((resolve) => {
    answer = resolve;
  });
  state.isBusy = false;
  state.watch.operationEnded("ESHA");
  expect(state.observed).toEqual(["srv127", "srv129"]);
  tell(state, "srv127");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(state.writes).toEqual([]);

  mendName(state.world);
  tell(state, "srv129");
  answer();
  await vi.advanceTimersByTimeAsync(60);
  expect(state.writes).toEqual([]);
});

test("a breach that an operation has left is an alert after it", async () => {
  const state = bed();
  tell(state, "srv127", "srv129");
  state.isBusy = true;
  breakName(state.world);
  tell(state, "srv129");
  await vi.advanceTimersByTimeAsync(60);
  state.isBusy = false;
  // Nobody says that it has ended: the backstop sees it.
  await vi.advanceTimersByTimeAsync(10_100);
  expect(state.open.size).toBe(2);
});

test("an alert of before a restart stays until its node has told over the new connection", async () => {
  const state = bed();
  breakName(state.world);
  tell(state, "srv127", "srv129");
  await vi.advanceTimersByTimeAsync(60);
  expect(state.open.size).toBe(2);

  const agent = state.world.agents.get("srv129");
  if (agent === undefined) throw new Error("no agent srv129");
  const later: AgentView = { ...agent, factsAreCurrent: false };
  mendName(state.world);
  const mended = state.world.agents.get("srv129");
  state.world.agents.set("srv129", later);
  tell(state, "srv129", "srv127");
  await vi.advanceTimersByTimeAsync(20_000);
  expect(state.open.size).toBe(2);

  if (mended !== undefined) state.world.agents.set("srv129", mended);
  tell(state, "srv129");
  await vi.advanceTimersByTimeAsync(60);
  expect(state.open.size).toBe(0);
});

test("after its end nothing is looked at any more", async () => {
  const state = bed();
  breakName(state.world);
  tell(state, "srv129");
  state.watch[Symbol.dispose]();
  tell(state, "srv129");
  await vi.advanceTimersByTimeAsync(20_000);
  expect(state.writes).toEqual([]);
});

test("a rule that is mended as one piece of work is one alert, which lists its places", async () => {
  const state = bed();
  const cause = "rule:ESHA:hba-virtual-addresses";
  const both = ["srv127", "srv129"];
  for (const node of both) inFile(node, "sys_hba.conf", vipLines, "")(state.world);
  tell(state, ...both);
  await vi.advanceTimersByTimeAsync(60);
  expect(state.writes).toEqual([`raise ${cause}`]);
  const hba = "/home/kingbase/cluster/ESHA/db/data/sys_hba.conf";
  const line = (node: string, vip: string) =>
    `- ${node} ${hba}: no line for ${vip}; wanted: host replication SYSTEM ${vip}/32 md5`;
  const all = both.flatMap((node) => [line(node, "192.168.4.200"), line(node, "192.168.4.201")]);
  const places = () => state.open.get(cause)?.detail.split("\n").filter((text) => text.startsWith("- ")); // prettier-ignore
  expect(places()).toEqual(all);
  expect(state.open.get(cause)).toMatchObject({
    node: null,
    file: null,
    summary:
      "Every node lets the virtual addresses in for replication: not so in 4 places on srv127, srv129",
  });

  // Some of it is mended: no news for who looks after it.
  append("srv129", "sys_hba.conf", "host replication SYSTEM 192.168.4.201/32 md5\n")(state.world);
  tell(state, "srv129");
  await vi.advanceTimersByTimeAsync(60);
  expect(places()).toEqual(all.slice(0, 3));
  expect(state.open.get(cause)).toMatchObject({ isNews: false });

  append("srv129", "sys_hba.conf", "host replication SYSTEM 192.168.4.200/32 md5\n")(state.world);
  tell(state, "srv129");
  await vi.advanceTimersByTimeAsync(60);
  expect(state.open.get(cause)).toMatchObject({ node: "srv127", file: null });
  append("srv127", "sys_hba.conf", "host replication SYSTEM 192.168.4.200/31 md5\n")(state.world);
  tell(state, "srv127");
  await vi.advanceTimersByTimeAsync(60);
  expect([...state.open]).toEqual([]);
});

test("an alert of several places stays as it is while one of them can't be seen", async () => {
  const state = bed();
  const cause = "rule:ESHA:hba-virtual-addresses";
  for (const node of ["srv127", "srv129"]) {
    inFile(node, "sys_hba.conf", "host replication SYSTEM 192.168.4.201/32 md5\n", "")(state.world);
  }
  tell(state, "srv127", "srv129");
  await vi.advanceTimersByTimeAsync(60);
  const before = state.open.get(cause);
  const mend = append("srv127", "sys_hba.conf", "host replication SYSTEM 192.168.4.201/32 md5\n");

  const unreadable = file("srv129", "sys_hba.conf", { state: "unreadable", maskedText: null });
  const readable = state.world.agents.get("srv129");
  unreadable(state.world);
  mend(state.world);
  tell(state, "srv127", "srv129");
  await vi.advanceTimersByTimeAsync(60);
  expect(state.open.get(cause)).toBe(before);

  if (readable === undefined) throw new Error("no srv129");
  state.world.agents.set("srv129", { ...readable, factsAreCurrent: false });
  append("srv127", "sys_hba.conf", "# a comment\n")(state.world);
  tell(state, "srv127");
  await vi.advanceTimersByTimeAsync(60);
  expect(state.open.get(cause)).toBe(before);

  state.world.agents.set("srv129", readable);
  tell(state, "srv129");
  await vi.advanceTimersByTimeAsync(60);
  expect(state.open.get(cause)).toMatchObject({ node: "srv129" });
});

test("a new place is told while one that is listed can't be seen, which stays listed", async () => {
  const state = bed();
  const cause = "rule:ESHA:hba-virtual-addresses";
  const breakOn = (node: string): void =>
    inFile(node, "sys_hba.conf", "host replication SYSTEM 192.168.4.201/32 md5\n", "")(state.world);
  breakOn("srv129");
  tell(state, "srv127", "srv129");
  await vi.advanceTimersByTimeAsync(60);
  const [, place] = state.open.get(cause)?.detail.split("\n- ") ?? [];

  const { world } = state;
  const agent = world.agents.get("srv129");
  if (agent === undefined || place === undefined) throw new Error("no srv129, or not listed");
  world.agents.set("srv129", { ...agent, factsAreCurrent: false });
  breakOn("srv127");
  tell(state, "srv127");
  await vi.advanceTimersByTimeAsync(60);
  const { summary, detail, ...alert } = state.open.get(cause) ?? { summary: "", detail: "" };
  expect(summary).toContain("not so in 2 places on srv129, srv127");
  expect(detail.split("\n- ").slice(1)).toEqual([place, place.replace("srv129", "srv127")]);
  expect(alert).toMatchObject({ node: null, isNews: true });
});

const vipLines = /(?:host replication SYSTEM 192\.168\.4\.20[01]\/32 md5\n)+/;
