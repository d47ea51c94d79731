import { expect, test } from "vitest";
import type { SlotsAnswer, StatusAnswer } from "#coordinator/api/contract.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { addArguments, untilWell } from "./support/operations.ts";

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "srv159", address: "192.168.4.159" },
  { name: "coord", address: "192.168.4.10" },
];

test("a slot that goes over its budget with no coordinator there marks its standby for ever, and the written way brings it back", async () => {
  const lab = await testLab({ hosts });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    settings: { wal_keep_segments: "0", max_wal_size: "64MB" },
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  await castellan.cli(addArguments(cluster, "--wal-budget", "64M"));
  const before = await castellan.cli(["slot", "list", "ESHA"]);
  expect(before.stdout).toMatch(
    /srv127 +slot_srv159 +srv159 \(op-\w+\) +active: srv159 .* 64\.0 MiB .* upstream of srv159/,
  );

  // Nobody coordinates, and the standby is away while the primary works.
  await castellan.killCoordinator();
  await cluster.stop("srv159");
  await cluster.sql("srv127", "create table wal_filler (id int)");
  for (let i = 0; i < 6; i += 1) {
    await cluster.sql("srv127", "insert into wal_filler values (1)");
    await cluster.sql("srv127", "select pg_switch_wal()");
  }
  await waitFor(async () => !(await slots(cluster, "srv127")).includes("slot_srv159"), {
    timeoutMs: 20_000,
    what: "the drop",
  });
  // What it wanted to tell is lost with it; its ledger isn't.
  await castellan.killAgent("srv127");
  await cluster.start("srv159");
  await castellan.startAgent("srv127");
  await castellan.startCoordinator();
  await castellan.connected(["srv127", "srv129", "srv159"]);

  const problems = async (): Promise<string> => {
    const { clusters } = await castellan.json<StatusAnswer>(["status"]);
    const node = clusters[0]?.nodes.find(({ name }) => name === "srv159");
    return Object.values(node?.problems ?? {}).join("\n");
  };
  await waitFor(
    async () => /slot_srv159 was dropped on srv127 \(slot-over-budget/.test(await problems()),
    {
      timeoutMs: 20_000,
    },
  );
  // Its own side says so, too: from what the primary answers.
  await waitFor(
    async () =>
      (await problems()).includes("192.168.4.127:54321 is a primary and has no slot slot_srv159"), // prettier-ignore
    { timeoutMs: 40_000, what: "the standby's own word" },
  );
  const about = async (): Promise<AlertRecord[]> =>
    (await castellan.json<AlertRecord[]>(["alert", "list"])).filter(({ cause }) =>
      cause.includes("slot-dropped"),
    );
  expect(await about()).toMatchObject([
    { severity: "critical", summary: "slot slot_srv159 was dropped: srv159 needs a rebuild" },
  ]);
  const { clusters } = await castellan.json<SlotsAnswer>(["slot", "list", "ESHA"]);
  expect(clusters[0]?.nodes[0]?.slots).toContainEqual(
    expect.objectContaining({ slot: "slot_srv159", state: "dropped", owner: "srv159" }),
  );
  expect((await castellan.cli(["slot", "list"])).stdout).toContain(
    "castellan node add ESHA srv159",
  );

  // As docs/slots.md says: stop it, put its data aside, take it out of the declaration, drop what is left, add it.
  await cluster.stop("srv159");
  const { host, paths } = cluster.node("srv159");
  await host.exec(["mv", paths.dataDir, `${paths.dataDir}.old`]);
  const declaration = `${castellan.stateDirectory}/clusters/ESHA.yaml`;
  const yaml = await lab.host("coord").readFile(declaration);
  await lab
    .host("coord")
    .writeFile(declaration, yaml.replace(/ {2}- name: srv159\n(?: {4}.*\n)*/, ""), {
      owner: cluster.lane.osUser,
      mode: 0o600,
    });
  await castellan.cli(["cluster", "validate", "ESHA"]);
  await cluster.sql("srv129", "select pg_drop_replication_slot('slot_srv159')");
  await untilWell(castellan, cluster);
  await castellan.cli(addArguments(cluster));
  expect(await slots(cluster, "srv127")).toContain("slot_srv159");
  await waitFor(async () => (await about()).length === 0, { timeoutMs: 20_000 });
  expect(await problems()).not.toContain("was dropped");
});

async function slots(cluster: TestCluster, node: string): Promise<unknown[]> {
  const rows = await cluster.sql(node, "select slot_name::text as name from pg_replication_slots");
  return rows.map((row) => row["name"]);
}
