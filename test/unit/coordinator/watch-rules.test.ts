import { expect, test, vi, beforeEach, afterEach } from "vitest";
import type { AgentView, LoadedCluster } from "#coordinator/ports.ts";
import { createRuleWatch, type RuleWatchPorts } from "#coordinator/watch-rules.ts";
import type { AlertInput, AlertRecord } from "#coordinator/store/store.ts";
import { ofNoRule } from "./alert-builder.ts";
import { module } from "./rules/edits.ts";
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
