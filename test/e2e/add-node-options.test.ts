import { expect, test } from "vitest";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { labHosts } from "./support/hosts.ts";
import { addArguments } from "./support/operations.ts";
import { expectRefusal } from "./support/refusal.ts";

test("a node copied from a standby, tablespaces and all, holds the same content", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    tablespace: "/srv/ts",
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const args = addArguments(cluster, "--source", "srv129", "--verify", "content");
  const added = await castellan.cli(args, { reject: false });
  expect(added.exitCode, added.stdout + added.stderr).toBe(0);
  expect(added.stdout).toContain("Copy the data of srv129 to srv159");

  const slots = async (node: string) =>
    cluster.sql(
      node,
      "SELECT slot_name::text AS name, active, restart_lsn IS NOT NULL AS reserved FROM pg_replication_slots ORDER BY 1",
    );
  expect(await slots("srv127")).toEqual([
    { name: "slot_srv129", active: true, reserved: true },
    { name: "slot_srv159", active: true, reserved: true },
  ]);
  // It kept WAL on the source during the copy, and keeps nothing now.
  expect(await slots("srv129")).toContainEqual({
    name: "slot_srv159",
    active: false,
    reserved: false,
  });
  const location =
    "SELECT pg_tablespace_location(oid) AS place FROM pg_tablespace WHERE spcname = 'castellan_ts'";
  expect(await cluster.sql("srv159", location)).toEqual([{ place: "/srv/ts" }]);
  const content = "SELECT md5(string_agg(e::text, ',' ORDER BY e::text)) AS hash FROM elsewhere e";
  expect(await cluster.sql("srv159", content)).toEqual(await cluster.sql("srv127", content));
});

test("while the vendor's scripts are in charge of a synchronous cluster, a node that they can't reach needs consent", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    pool: true,
    synchronous: true,
    cronActive: true,
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  await expectRefusal(cluster, castellan, {
    args: addArguments(cluster),
    exitCode: 3,
    says: [
      "ssh-trust (srv127)",
      "ssh-trust (srv129)",
      "They can't promote srv159",
      "takes an unreachable node for a second primary",
      "--accept-not-promotable",
    ],
  });
  const args = addArguments(cluster, "--accept-not-promotable");
  const added = await castellan.cli(args, { reject: false });
  expect(added.exitCode, added.stdout + added.stderr).toBe(0);

  const list = await cluster.sql("srv127", "SHOW synchronous_standby_names");
  expect(JSON.stringify(list)).toContain("srv159");
  const states = await cluster.sql(
    "srv127",
    "SELECT application_name::text AS name, sync_state::text AS state FROM pg_stat_replication ORDER BY 1",
  );
  expect(states).toEqual([
    { name: "srv129", state: "sync" },
    { name: "srv159", state: expect.stringMatching(/^(?:sync|potential|quorum)$/) },
  ]);
  const alerts = await castellan.cli(["alert", "list"]);
  expect(alerts.stdout).toContain("srv159 can't be promoted by the vendor's scripts");
});

test("a server newer than the base backup program is refused by both versions", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    version: 18,
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  await expectRefusal(cluster, castellan, {
    args: addArguments(cluster),
    exitCode: 3,
    says: [
      "client-version (srv159)",
      "pg_basebackup 15 can't copy from server 18",
      "Install pg_basebackup 18",
    ],
  });
});
