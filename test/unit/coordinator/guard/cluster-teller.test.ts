import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createClusterTeller, type ClusterTellerPorts } from "#coordinator/guard/cluster-teller.ts";
import type { LoadedCluster } from "#coordinator/ports.ts";
import type { CoordinatorMessage } from "#shared/protocol/messages.ts";
import { CoordinatorMessage as Schema } from "#shared/protocol/messages.ts";
import { systemClock } from "#shared/time.ts";
import { changeDatabase, createWorld } from "../world.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Told = { readonly node: string; readonly message: CoordinatorMessage };

/** srv127 and srv129 are declared, srv159 has joined and is not. */
function bed() {
  const world = createWorld({ pool: true });
  const told: Told[] = [];
  let hash = "1";
  let fails = false;
  const ports: ClusterTellerPorts = {
    clusterFiles: {
      names: () => ["ESHA"],
      load: (): LoadedCluster => {
        if (fails) throw new Error("in the middle of an edit");
        return { file: "", yaml: "", hash, declaration: world.declaration };
      },
    },
    agents: {
      view: (node) => world.agents.get(node) ?? null,
      views: () => [...world.agents.values()],
      tellOfCluster: (node, message) => told.push({ node, message: Schema.parse(message) }),
    },
    clock: systemClock,
    log: { warn: () => undefined } as never, // nothing else is called
  };
  const teller = createClusterTeller(ports);
  return {
    world,
    teller,
    taken: () => told.splice(0),
    edit: (change: () => void) => {
      change();
      hash += "1";
    },
    damage: (is: boolean) => {
      fails = is;
    },
  };
}

function views(told: readonly Told[]) {
  return told.flatMap(
    ({ node, message }) =>
    message.type === "cluster-view" ? [{ node, nodes: message.view?.nodes.map(({ name }) => name) ?? null }] : [], // prettier-ignore
  );
}

function sights(told: readonly Told[]) {
  return told.flatMap(({ node, message }) =>
    message.type === "sights"
      ? [`${node}: ${message.peers.map((peer) => `${peer.node} ${peer.database}`).join(", ")}`]
      : [],
  );
}

test("an agent that comes is told how its cluster is declared, and one that is declared nowhere, that it is not", () => {
  const { teller, taken } = bed();
  teller.agentCame("srv127");
  teller.agentCame("srv159");
  expect(views(taken())).toEqual([
    { node: "srv127", nodes: ["srv127", "srv129"] },
    { node: "srv159", nodes: null },
  ]);
});

test("a view holds what agents need of one another, and no path", () => {
  const { teller, taken } = bed();
  teller.agentCame("srv127");
  const [{ message } = {}] = taken();
  expect(message).toMatchObject({
    view: {
      cluster: "ESHA",
      poolKind: "pgpool",
      database: { name: "postgres", maintenanceUser: "postgres", replicationUser: "replicator" },
      nodes: [
        { name: "srv127", address: "192.168.4.127", port: 5432, slot: "slot_srv127", backendId: 0, pool: { port: 9999, pcpPort: 9898 } }, // prettier-ignore
        { name: "srv129" },
      ],
      virtualAddresses: { database: "192.168.4.200/24", pool: "192.168.4.201" },
      trustAddresses: ["192.168.4.1", "192.168.4.2"],
    },
  });
  expect(JSON.stringify(message)).not.toContain("/var/lib");
});

test("an edited declaration is told to every agent, ours at once and a person's within five seconds", () => {
  const { world, teller, taken, edit } = bed();
  edit(() => world.declaration.nodes.pop());
  teller.declared();
  const toldNow = [
    { node: "srv127", nodes: ["srv127"] },
    { node: "srv129", nodes: null },
    { node: "srv159", nodes: null },
  ];
  expect(views(taken())).toEqual(toldNow);
  teller.declared();
  expect(views(taken())).toEqual([]);
  edit(() => world.declaration.trustAddresses.pop());
  vi.advanceTimersByTime(5_000);
  expect(views(taken())).toEqual(toldNow);
});

test("a declaration that can't be read now stays as it was read last", () => {
  const { teller, taken, damage } = bed();
  damage(true);
  teller.declared();
  teller.agentCame("srv127");
  expect(views(taken())).toEqual([{ node: "srv127", nodes: ["srv127", "srv129"] }]);
});

test("each agent hears of the others, what is new at most once a second, and every five as a sign of life", () => {
  const { world, teller, taken } = bed();
  for (let i = 0; i < 10; i += 1) {
    teller.agentChanged("srv127");
    vi.advanceTimersByTime(100);
  }
  expect(sights(taken())).toEqual(["srv127: srv129 standby", "srv129: srv127 primary"]);
  changeDatabase(world, "srv129", { timeline: 7 });
  for (let i = 0; i < 5; i += 1) {
    teller.agentChanged("srv129");
    vi.advanceTimersByTime(400);
  }
  expect(sights(taken())).toHaveLength(2);
  vi.advanceTimersByTime(10_000);
  expect(sights(taken())).toHaveLength(4);
});

test("nothing is said of an agent that is away, nor of a host that the cluster does not declare", () => {
  const { world, teller, taken } = bed();
  const away = world.agents.get("srv129");
  if (away !== undefined) world.agents.set("srv129", { ...away, factsAreCurrent: false });
  teller.agentChanged("srv129");
  teller.agentChanged("srv159");
  vi.advanceTimersByTime(1_000);
  expect(sights(taken())).toEqual(["srv127: ", "srv129: srv127 primary"]);
});

test("a sight is what the agent's facts say of role, position, streams and upstream", () => {
  const { world, teller, taken } = bed();
  const see = (node: string, edit: Parameters<typeof changeDatabase>[2]) => {
    changeDatabase(world, node, edit);
    teller.agentChanged(node);
    vi.advanceTimersByTime(5_000);
    const all = taken().flatMap(({ message }) => (message.type === "sights" ? message.peers : []));
    return all.findLast((peer) => peer.node === node);
  };
  expect(
    see("srv129", {
      position: "0/3000000",
      receivedPosition: "0/4000000",
      receiver: { status: "streaming", slot: null, conninfo: "host=192.168.4.127", timeline: 1 },
    }),
  ).toMatchObject({
    from: "coordinator",
    database: "standby",
    position: "0/4000000",
    upstream: "192.168.4.127",
  });
  const states = (["stopped", "absent", "unreachable"] as const).map(
    (status) => see("srv129", { status })?.database,
  );
  expect(states).toEqual(["refused", "refused", "login-failed"]);
  const odd = see("srv127", {
    position: "no position",
    problem: "p".repeat(5_000),
    replication: [{ applicationName: "srv129", clientAddress: null, state: "streaming", syncState: "sync", sentLsn: null, writeLsn: null, flushLsn: "?", replayLsn: null }], // prettier-ignore
  });
  expect(odd).toMatchObject({
    database: "primary",
    position: null,
    streaming: [
      { applicationName: "srv129", state: "streaming", syncState: "sync", flushLsn: null },
    ],
  });
});
