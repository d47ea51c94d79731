import { expect, test } from "vitest";
import { Decision } from "#shared/domain/guard.ts";
import type { WhyAnswer } from "#coordinator/api/contract.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { writeNumbers } from "#test/e2e/support/numbered-writer.ts";

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "coord", address: "192.168.4.10" },
];
const names = "1 (srv127, srv129)";
const lanes: readonly (readonly [string, LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

type Bed = AsyncDisposable & { readonly cluster: TestCluster; readonly castellan: Castellan };

const kept = "/var/lib/castellan-agent/decisions.jsonl";

/** What the guards of all nodes have come to, the oldest first: it is on their disks. */
async function decisions(cluster: TestCluster): Promise<readonly Decision[]> {
  const written = cluster.nodes.filter(({ host }) => host.exists(kept));
  const texts = await Promise.all(written.map(({ host }) => host.readFile(kept)));
  return texts
    .flatMap((text) => text.split("\n").filter((line) => line !== ""))
    .map((line) => Decision.parse(JSON.parse(line)))
    .toSorted((a, b) => a.at - b.at);
}

function decided(
  cluster: TestCluster,
  rule: string,
  outcome: Decision["outcome"],
  after = 0,
): Promise<Decision> {
  return waitFor(
    async () =>
      (await decisions(cluster)).find(
        (one) => one.rule === rule && one.outcome === outcome && one.at > after,
      ),
    { timeoutMs: 60_000, what: `${rule} to be ${outcome}` },
  );
}

async function inForce(cluster: TestCluster): Promise<string> {
  const [row] = await cluster.sql("srv127", "SHOW synchronous_standby_names");
  return String(row?.["synchronous_standby_names"]);
}

/** `up up` where both pools have srv129 as the others do. */
async function rows({ pools }: TestCluster): Promise<string> {
  if (pools === null) throw new Error("no pools");
  const shown = await Promise.all(pools.nodes.map(({ name }) => pools.show(name)));
  return shown.map((all) => String(all[1]?.["status"])).join(" ");
}

/** It dates a decision by its own clock, as near as messages let it tell. */
async function isTold(castellan: Castellan, { at, rule }: Decision): Promise<boolean> {
  for (let laterMs = 0; laterMs <= 2_000; laterMs += 250) {
    const then = new Date(at + laterMs).toISOString();
    const { moment } = await castellan.json<WhyAnswer>(["why", "srv127", "--at", then]);
    if (moment?.decisions.some((one) => one.rule === rule) === true) return true;
  }
  return false;
}

async function inCharge(lane: LaneOptions): Promise<Bed> {
  const lab = await testLab({ hosts });
  const cluster = await createCluster(lab, {
    ...lane,
    nodes: ["srv127", "srv129"],
    pool: true,
    synchronous: true,
    settings: { wal_sender_timeout: "'3s'" },
  });
  const castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  await enforce(castellan, cluster.nodes);
  await castellan.killCoordinator();
  return {
    cluster,
    castellan,
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

async function become(what: () => Promise<string>, wanted: string): Promise<void> {
  await waitFor(async () => (await what()) === wanted, { timeoutMs: 60_000, what: wanted });
}

test.each(lanes)(
  "without the coordinator commits go on after the standby's loss, and wait for it again when it is back: %s",
  async (_title, lane) => {
    await using bed = await inCharge(lane);
    const { cluster, castellan } = bed;
    const writer = await writeNumbers(cluster, "srv127", 1);
    await cluster.stop("srv129", "fast");
    await become(() => inForce(cluster), "");
    expect(await rows(cluster)).toBe("down down");
    expect(await decided(cluster, "synchronous-without-standby", "done")).toMatchObject({
      node: "srv127",
      steps: [{ do: "synchronous", names: "", notPromotable: ["srv129"] }],
    });
    await cluster.start("srv129");
    await become(() => inForce(cluster), names);
    await become(() => rows(cluster), "up up");
    const attached = await decided(cluster, "backend-down-though-streaming", "done");
    const again = await decided(cluster, "synchronous-again", "done");
    expect(attached.at).toBeGreaterThan(again.at);
    const { acknowledged, longestMs } = await writer.stop();
    const numbered = async () =>
      (await cluster.sql("srv129", "SELECT id::int AS id FROM ledger WHERE note = 'numbered' ORDER BY id")).map(({ id }) => id); // prettier-ignore
    // The last one is on the standby, and replayed a moment later.
    await waitFor(async () => (await numbered()).length >= acknowledged.length);
    expect(await numbered()).toEqual(acknowledged);
    console.info(
      `${acknowledged.length} rows; the longest commit waited ${Math.round(longestMs)} ms`,
    );

    await castellan.startCoordinator();
    await castellan.connected(["srv127", "srv129"]);
    await waitFor(() => isTold(castellan, again), {
      timeoutMs: 20_000,
      what: "the coordinator to know of what was decided without it",
    });
    const drifts = async () =>
      (await castellan.json<readonly AlertRecord[]>(["alert", "list"])).filter(({ cause }) => cause.startsWith("node:srv127:file:")); // prettier-ignore
    await waitFor(async () => (await drifts()).length === 0, {
      what: "the guard's own edits to be no drift",
    });
  },
);

test("who may still be promoted keeps commits waiting, until it is detached, its pool can be asked, or the cut is over", async () => {
  await using bed = await inCharge({ product: "postgresql" });
  const { cluster, castellan } = bed;
  const { pools } = cluster;
  const { host: primary, paths } = cluster.node("srv127");
  if (pools === null) throw new Error("no pools");

  // It runs, and streams no more: no pool takes it out by itself.
  const hba = await primary.readFile(paths.hbaFile);
  const owner = { owner: "postgres", mode: 0o600 };
  await primary.writeFile(
    paths.hbaFile,
    `host replication all 192.168.4.129/32 reject\n${hba}`,
    owner,
  );
  await cluster.sql("srv127", "SELECT pg_reload_conf()");
  await cluster.sql("srv127", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
  await become(() => inForce(cluster), "");
  const detached = await decided(cluster, "backend-up-though-gone", "done");
  expect(detached.steps).toEqual([{ do: "detach-backend", id: 1 }]);
  expect(await rows(cluster)).toBe("down down");
  await primary.writeFile(paths.hbaFile, hba, owner);
  await cluster.sql("srv127", "SELECT pg_reload_conf()");
  await become(() => inForce(cluster), names);
  await become(() => rows(cluster), "up up");

  const stoppedAt = (await decisions(cluster)).at(-1)?.at ?? 0;
  await pools.stop("srv129");
  await cluster.stop("srv129", "fast");
  const held = await decided(cluster, "synchronous-without-standby", "held", stoppedAt);
  expect(held.evidence).toContain("the pool of srv129 can't be asked (refused)");
  expect(await inForce(cluster)).toBe(names);
  await pools.start("srv129");
  await become(() => inForce(cluster), "");
  await cluster.start("srv129");
  await become(() => inForce(cluster), names);
  await become(() => rows(cluster), "up up");

  // The one that is cut off is the primary.
  const cutAt = (await decisions(cluster)).at(-1)?.at ?? 0;
  await primary.cutLink();
  const alone = await decided(cluster, "synchronous-without-standby", "held", cutAt);
  expect(alone.evidence).toContain("they go on waiting: this host reaches nobody else");
  await castellan.startCoordinator();
  await primary.healLink();
  await castellan.connected(["srv127", "srv129"]);
  expect(await inForce(cluster)).toBe(names);
  const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list", "--all"]);
  expect(alerts.map(({ cause }) => cause)).toContain("node:srv127:guard:synchronous-without-standby"); // prettier-ignore
});
