import { appendFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NodeFacts } from "#shared/domain/facts.ts";
import type { HostEvent } from "#agent/host-event.ts";
import { createLoop, type Loop } from "#agent/loop.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { clusterNodeSettings, createNodePorts, ownHosts, type NodePorts } from "./node-ports.ts";
import { noSelfFence } from "#test/unit/agent/no-self-fence.ts";

type Bed = AsyncDisposable & {
  readonly loop: Loop;
  readonly facts: NodeFacts[];
  readonly events: HostEvent[];
};

function startLoop(node: Pick<NodePorts, "ports" | "expected" | "databases">): Bed {
  const facts: NodeFacts[] = [];
  const events: HostEvent[] = [];
  const loop = createLoop({
    ports: node.ports,
    expected: node.expected,
    startedAt: 1,
    onFacts: (seen) => facts.push(seen),
    onHostEvent: (event) => events.push(event),
    selfFence: noSelfFence,
  });
  node.databases.onEdge((edge) =>
    loop.wake(edge === "own-database-lost" ? "database-closed" : "database-opened"),
  );
  return { loop, facts, events, [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose]() };
}

function nodePorts(cluster: TestCluster, name: string, observeEveryMs = 2_000): Promise<NodePorts> {
  return createNodePorts({
    settings: clusterNodeSettings(cluster, name, { limits: { observeEveryMs } }),
    databasePassword: cluster.passwords.superuser,
  });
}

test("facts come by themselves, fit their schema, and what did not change is the same object", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await nodePorts(cluster, "srv127", 300);
  await using bed = startLoop(node);
  await waitFor(() => bed.facts.length >= 4, { what: "four looks" });
  const [first, , , fourth] = bed.facts;
  expect(NodeFacts.safeParse(fourth)).toMatchObject({ success: true });
  expect(fourth?.database.role).toBe("primary");
  // The host's schedule may fall among these looks: its clock has gone on then.
  const isSameHost = JSON.stringify(fourth?.host) === JSON.stringify(first?.host);
  expect(fourth?.host === first?.host).toBe(isSameHost);
  expect(fourth?.files).toBe(first?.files);
  expect(fourth?.guard.checks.map((check) => check.name)).toEqual([
    "rehash",
    "host",
    "guard",
    "disk",
    "trust",
    "clock",
    "vip",
  ]);
  expect(bed.loop.facts()).toBe(bed.facts.at(-1));
});

test("while all is well every other look is a glance at role and streams, and while something is off none is", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127", "srv129"), mode: "loopback" });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
  });
  await using node = await nodePorts(cluster, "srv127", 500);
  const { own } = node.databases;
  let looks = "";
  const query: typeof own.query = (sql, parameters) => {
    if (sql.includes("'replication' AS part")) looks += sql.includes("'slots' AS part") ? "W" : "g";
    return own.query(sql, parameters);
  };
  const databases = {
    ...node.databases,
    own: {
      query,
      get versionNumber() {
        return own.versionNumber;
      },
    },
  };
  await using bed = startLoop({ ...node, ports: { ...node.ports, databases } });
  await waitFor(() => looks.includes("WgWgWg"), { what: "every other look to be a glance" });
  await cluster.stop("srv129");
  await waitFor(() => bed.loop.facts()?.guard.findings.length, { what: "the finding" });
  looks = "";
  await waitFor(() => looks.length >= 4, { what: "four more looks" });
  expect(looks).not.toContain("g");
  await cluster.start("srv129");
  await waitFor(() => looks.includes("WgWg"), { what: "all to be well again" });
});

test("one look at a time: many who ask at once get one new look", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await nodePorts(cluster, "srv127", 60_000);
  await using bed = startLoop(node);
  await bed.loop.observeNow();
  const looks = bed.facts.length;
  await cluster.sql("srv127", "create table seen_now (id int)");
  const answers = await Promise.all(Array.from({ length: 20 }, () => bed.loop.observeNow()));
  expect(new Set(answers).size).toBe(1);
  expect(bed.facts.length - looks).toBeLessThanOrEqual(2);
  for (let i = 0; i < 100; i += 1) bed.loop.wake("asked");
  await bed.loop.observeNow();
  expect(bed.facts.length - looks).toBeLessThanOrEqual(4);
});

test("a clock that is set back by a day keeps no look waiting", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await nodePorts(cluster, "srv127", 60_000);
  let setByMs = 0;
  const clock = { ...node.ports.clock, now: () => Date.now() + setByMs };
  await using bed = startLoop({ ...node, ports: { ...node.ports, clock } });
  await waitFor(() => bed.facts.length > 0);
  setByMs = -86_400_000;
  const looks = bed.facts.length;
  bed.loop.wake("asked");
  await waitFor(() => bed.facts.length > looks, { what: "the next look" });
});

test("a killed database is told within a second, though the timer is a minute away", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await nodePorts(cluster, "srv127", 60_000);
  await using bed = startLoop(node);
  const { postmasterPid } = (await bed.loop.observeNow()).database;
  const killedAt = performance.now();
  process.kill(postmasterPid ?? 0, "SIGKILL");
  const event = await waitFor(
    () => bed.events.find((found) => found.cause === "guard:database-dead"),
    { timeoutMs: 1_000, intervalMs: 5 },
  );
  expect(performance.now() - killedAt).toBeLessThan(1_000);
  expect(event).toMatchObject({ kind: "guard-finding", severity: "critical" });
  expect(event.detail).not.toContain("would:"); // a dead primary is left to whoever fails over from it
  await waitFor(() => bed.loop.facts()?.guard.findings[0]?.rule === "database-dead");

  // pg_ctl takes an unreaped zombie for a running server.
  await waitFor(() => !isKnownToTheKernel(postmasterPid ?? 0));
  await cluster.start("srv127");
  const cleared = await waitFor(() => bed.events.find((found) => found.kind === "guard-cleared"));
  expect(cleared.cause).toBe("guard:database-dead");
});

function isKnownToTheKernel(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a changed config file wakes the loop: event, file facts and settings are all new", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await nodePorts(cluster, "srv127", 60_000);
  await using bed = startLoop(node);
  const before = await bed.loop.observeNow();
  const path = cluster.node("srv127").paths.configFile;
  bed.loop.setBaselines(before.files.map((file) => ({ path: file.path, hash: file.hash })));
  appendFileSync(path, "cluster_name = 'changed'\n");
  const event = await waitFor(() => bed.events.find((found) => found.cause === `file:${path}`), {
    timeoutMs: 1_000,
    intervalMs: 10,
  });
  expect(event.detail).toContain("+cluster_name = 'changed'");
  await waitFor(() => {
    const seen = bed.loop.facts()?.files.find((file) => file.path === path);
    return seen?.maskedText?.includes("cluster_name = 'changed'");
  });
});

test("what is open survives a restart of the agent and is cleared after it", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127", "srv129"), mode: "loopback" });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
  });
  await cluster.stop("srv129");
  await using node = await nodePorts(cluster, "srv127", 250);
  let since = 0;
  {
    await using bed = startLoop(node);
    since = await waitFor(() => bed.loop.facts()?.guard.findings[0]?.since);
  }
  await using bed = startLoop(node);
  await waitFor(() => bed.facts.length >= 3);
  expect(bed.facts[0]?.guard.findings).toMatchObject([{ rule: "primary-without-standbys", since }]);
  expect(bed.events).toEqual([]);
  await cluster.start("srv129");
  await waitFor(() => bed.events.some((event) => event.kind === "guard-cleared"));
});

test("a server that is killed while a look waits for its answer is known to be dead, though no answer comes", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await nodePorts(cluster, "srv127");
  await using bed = startLoop(node);
  const { postmasterPid } = (await bed.loop.observeNow()).database;
  // The look waits at this lock, and its session is stopped there: it neither answers nor ends with its server.
  await using locker = await node.databases.connectOwn("postgres");
  await locker.query("begin");
  await locker.query("lock table pg_tablespace in access exclusive mode");
  const looked = bed.loop.observeNow();
  const pid = await waitFor(async () => {
    const [waiting] = await locker.query(
      "select pid from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'castellan-agent'",
    );
    return Number(waiting?.["pid"] ?? 0);
  });
  process.kill(pid, "SIGSTOP");
  try {
    process.kill(postmasterPid ?? 0, "SIGKILL");
    // Sooner than a server that is there is waited for.
    const facts = await Promise.race([looked, node.ports.clock.sleep(8_000)]);
    expect(facts).toMatchObject({ database: { status: "stopped" } });
  } finally {
    process.kill(pid, "SIGKILL");
    // What is stopped at the end has to run, and pg_ctl takes an unreaped zombie for a running server.
    await waitFor(() => !isKnownToTheKernel(postmasterPid ?? 0) && !isKnownToTheKernel(pid));
    await cluster.start("srv127");
  }
});

test("closing the loop while it looks ends soon, and who still waits is told", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await nodePorts(cluster, "srv127");
  const bed = startLoop(node);
  const { postmasterPid } = (await bed.loop.observeNow()).database;
  const backends = await cluster.sql(
    "srv127",
    "select pid from pg_stat_activity where application_name = 'castellan-agent'",
  );
  expect(backends).toHaveLength(1);
  const [backend] = backends;
  const pid = Number(backend?.["pid"]);
  expect(postmasterPid).not.toBe(pid);
  process.kill(pid, "SIGSTOP");
  try {
    bed.loop.wake("asked");
    const closedAt = performance.now();
    await bed.loop[Symbol.asyncDispose]();
    expect(performance.now() - closedAt).toBeLessThan(5_000);
  } finally {
    process.kill(pid, "SIGCONT");
  }
});
