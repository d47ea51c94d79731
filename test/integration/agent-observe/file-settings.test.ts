import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createDatabaseObserver } from "#agent/observe/database.ts";
import type { FileSetting } from "#shared/domain/facts.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { clusterNodeSettings, createNodePorts, ownHosts } from "./node-ports.ts";

const hosts = ownHosts("srv127");

for (const product of ["postgresql", "kingbase-v8r3"] as const) {
  test(`${product}: what stands in the files and is not in force is told, with its place`, async () => {
    await using lab = await createLab({ hosts, mode: "loopback" });
    await using cluster = await createCluster(lab, { product, nodes: ["srv127"] });
    const settings = clusterNodeSettings(cluster, "srv127");
    await using node = await createNodePorts({
      settings,
      databasePassword: cluster.passwords.superuser,
    });
    const observer = createDatabaseObserver(node.ports);
    const { configFile } = settings.paths;
    const before = readFileSync(configFile, "latin1");
    const look = async (): Promise<readonly FileSetting[]> =>
      (await observer.observe({ fresh: false, settings: true })).fileSettings ?? [];
    const stateOf = async (name: string) =>
      (await look()).find((found) => found.name === name && found.state !== "overruled");
    const dialect = node.ports.product.dialect(node.ports.databases.own.versionNumber ?? 150_000);
    const reload = () => cluster.sql("srv127", dialect.reload);
    const { fileSettings } = await observer.observe({ fresh: true, settings: true });
    expect(fileSettings?.filter(({ state }) => state !== "overruled")).toEqual([]);

    appendFileSync(configFile, "\ndeadlock_timeout = 1234ms\nmax_connections = 57\n");
    const line = before.split("\n").length + 1;
    const place = { file: configFile, line: expect.any(Number) };
    expect(await stateOf("deadlock_timeout")).toMatchObject({ ...place, state: "waits-for-reload", inFile: "1234ms", inForce: "1s" }); // prettier-ignore
    expect(await stateOf("max_connections")).toMatchObject({ ...place, state: "waits-for-restart", inFile: "57" }); // prettier-ignore
    expect((await stateOf("deadlock_timeout"))?.line).toBe(line);
    await reload();
    await waitFor(async () => (await stateOf("deadlock_timeout")) === undefined);
    expect(await stateOf("max_connections")).toMatchObject({ state: "waits-for-restart" });

    writeFileSync(configFile, before, "latin1");
    expect(await stateOf("deadlock_timeout")).toMatchObject({ state: "waits-for-reload", inFile: null }); // prettier-ignore
    await reload();
    await waitFor(async () => (await stateOf("deadlock_timeout")) === undefined);
    await waitFor(async () => (await stateOf("max_connections")) === undefined);

    appendFileSync(configFile, "\nwork_mem = 'plenty'\n");
    expect(await stateOf("work_mem")).toMatchObject({ ...place, state: "broken" });
    writeFileSync(configFile, `${before}\nwork_mem = 5MB\n`, "latin1");
    await cluster.sql("srv127", "ALTER SYSTEM SET work_mem = '6MB'");
    await reload();
    await waitFor(async () => (await look()).some((found) => found.name === "work_mem" && found.state === "overruled" && found.inFile === "5MB" && found.inForce === "6MB")); // prettier-ignore
  });
}

test("a secret in a setting that waits does not leave the host", async () => {
  await using lab = await createLab({ hosts, mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  const settings = clusterNodeSettings(cluster, "srv127");
  await using node = await createNodePorts({ settings, databasePassword: cluster.passwords.superuser }); // prettier-ignore
  const observer = createDatabaseObserver(node.ports);
  const secret = "s3cret-never-told";
  appendFileSync(settings.paths.configFile, `\nprimary_conninfo = 'host=a password=${secret}'\n`);
  const facts = await observer.observe({ fresh: true, settings: true });
  expect(facts.fileSettings).toMatchObject([
    { name: "primary_conninfo", inFile: "host=a password=[secret]", state: "waits-for-reload" },
  ]);
  expect(JSON.stringify(facts)).not.toContain(secret);
});
