import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { HostFacts, DatabaseFacts, NodeFacts } from "#shared/domain/facts.ts";
import { parseLsn } from "#shared/domain/lsn.ts";
import { createDatabaseObserver } from "#agent/observe/database.ts";
import { createObserver } from "#agent/observe/observer.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { clusterNodeSettings, createNodePorts, ownHosts } from "./node-ports.ts";

const hosts = ownHosts("srv127", "srv129", "srv159");
const nodes = ["srv127", "srv129"];
const tick = { fresh: false, settings: false };
const fresh = { fresh: true, settings: true };

for (const product of ["postgresql", "kingbase-v8r3"] as const) {
  test(`${product}: a primary, its standby and a new host are told apart`, async () => {
    await using lab = await createLab({ hosts, mode: "loopback" });
    await using cluster = await createCluster(lab, { product, nodes, newNode: "srv159" });
    const password = cluster.passwords.superuser;
    const settings = clusterNodeSettings(cluster, "srv127");
    await using primary = await createNodePorts({ settings, databasePassword: password });
    await using standby = await createNodePorts({
      settings: clusterNodeSettings(cluster, "srv129"),
      databasePassword: password,
    });
    await using unused = await createNodePorts({
      settings: clusterNodeSettings(cluster, "srv159"),
      databasePassword: password,
    });

    const observer = createDatabaseObserver(primary.ports);
    const seen = DatabaseFacts.parse(await observer.observe(fresh));
    expect(seen).toMatchObject({
      status: "running",
      problem: null,
      role: "primary",
      hasStandbyMarker: false,
      hasIncompleteMarker: false,
      timeline: 1,
      receiver: null,
      receivedPosition: null,
      dataDirectory: settings.paths.dataDirectory,
      hbaFile: settings.paths.hbaFile,
    });
    expect(seen.replication).toMatchObject([{ applicationName: "srv129", state: "streaming" }]);
    expect(seen.slots).toMatchObject([{ name: "slot_srv129", type: "physical", active: true }]);
    expect(seen.slots[0]?.retainedBytes).toBeGreaterThanOrEqual(0);
    expect(parseLsn(seen.position ?? "")).toBeGreaterThan(0n);
    expect(seen.settings).toMatchObject({ wal_level: "replica", hot_standby: "on" });
    expect(seen.settings).not.toHaveProperty("primary_conninfo");
    expect(seen.databases.map((database) => database.name)).toContain(cluster.lane.database);
    expect(seen.databases.every((database) => database.bytes > 0)).toBe(true);
    expect(seen.extensions.map((extension) => extension.name)).toContain("plpgsql");
    expect(seen.versionNumber).toBe(Number(seen.settings["server_version_num"]));
    expect(seen.binaryVersionText).not.toBeNull();
    expect(seen.clientVersionNumber).toBeGreaterThan(90_000);

    const watching = createDatabaseObserver(standby.ports);
    const behind = DatabaseFacts.parse(
      await waitFor(
        async () => {
          const facts = await watching.observe(fresh);
          return facts.receiver?.status === "streaming" ? facts : null;
        },
        { what: "the standby to stream" },
      ),
    );
    expect(watching.messageAgeMs()).toBeGreaterThanOrEqual(0);
    expect(observer.messageAgeMs()).toBeNull();
    expect(behind).toMatchObject({
      status: "running",
      role: "standby",
      hasStandbyMarker: true,
      systemIdentifier: seen.systemIdentifier,
      timeline: 1,
    });
    expect(behind.receiver?.conninfo).not.toContain(cluster.passwords.replication);
    expect(parseLsn(behind.receivedPosition ?? "")).toBeGreaterThan(0n);
    expect(seen.systemIdentifier).toMatch(/^\d{15,}$/);

    // Positions alone are no news.
    await cluster.sql("srv127", "create table written_meanwhile (id int)");
    expect(await observer.isAsBefore()).toBe(true);
    expect(await watching.isAsBefore()).toBe(true);

    // The control file names the last checkpoint's timeline, and that of a promotion comes a moment later.
    const { host, paths } = cluster.node("srv129");
    await host.exec([paths.control, "-D", paths.dataDir, "-w", "promote"], {
      user: cluster.lane.osUser,
    });
    expect(await watching.isAsBefore()).toBe(false);
    await waitFor(async () => !(await observer.isAsBefore()), { what: "the stream to be missed" });
    const promoted = await createDatabaseObserver(standby.ports).observe(tick);
    expect(promoted).toMatchObject({ role: "primary", timeline: 2 });

    const empty = await createDatabaseObserver(unused.ports).observe(fresh);
    expect(empty).toMatchObject({ status: "absent", postmasterPid: null, role: null });
    expect(empty.binaryVersionText).not.toBeNull();
  });
}

test("a killed server is a crash, a stopped one is not, and what it last was stays known", async () => {
  await using lab = await createLab({ hosts, mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  const settings = clusterNodeSettings(cluster, "srv127");
  await using node = await createNodePorts({
    settings,
    databasePassword: cluster.passwords.superuser,
  });
  const observer = createDatabaseObserver(node.ports);
  const before = await observer.observe(fresh);
  expect(before.status).toBe("running");

  await cluster.stop("srv127");
  expect(await observer.isAsBefore()).toBe(false);
  const stopped = await observer.observe(tick);
  expect(stopped).toMatchObject({ status: "stopped", problem: null, postmasterPid: null });
  expect(stopped.systemIdentifier).toBe(before.systemIdentifier);
  expect(stopped.settings).toEqual(before.settings);
  expect(observer.hasStalePid()).toBe(false);

  await cluster.start("srv127");
  const again = await observer.observe(tick);
  expect(again).toMatchObject({ status: "running", role: "primary" });

  process.kill(again.postmasterPid ?? 0, "SIGKILL");
  const dead = await waitFor(async () => {
    const facts = await observer.observe(tick);
    return facts.status === "stopped" ? facts : null;
  });
  expect(dead.problem).toContain(`names process ${again.postmasterPid}, which is gone`);
  expect(observer.hasStalePid()).toBe(true);
  // Until the machine's init has reaped it, pg_ctl takes the zombie for a running server.
  await waitFor(() => !isKnownToTheKernel(again.postmasterPid ?? 0));
});

function isKnownToTheKernel(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a wrong password is unreachable with the server's words, and never shows the password", async () => {
  await using lab = await createLab({ hosts, mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  const settings = clusterNodeSettings(cluster, "srv127");
  await using node = await createNodePorts({ settings, databasePassword: "not-the-password" });
  const seen = DatabaseFacts.parse(await createDatabaseObserver(node.ports).observe(fresh));
  expect(seen.status).toBe("unreachable");
  expect(seen.problem).toContain("28P01");
  expect(JSON.stringify(seen)).not.toContain("not-the-password");
  expect(seen.postmasterPid).toBe(
    Number(readFileSync(`${settings.paths.dataDirectory}/postmaster.pid`, "utf8").split("\n")[0]),
  );
});

test("whole facts fit their schema, and a section that did not change is the same object", async () => {
  await using lab = await createLab({ hosts, mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await createNodePorts({
    settings: clusterNodeSettings(cluster, "srv127"),
    databasePassword: cluster.passwords.superuser,
  });
  const observer = createObserver(node.ports, 1_000);
  const first = await observer.observe({ ...fresh, host: true });
  const guard = { mode: "observe", walDisk: null, findings: [], checks: [] };
  expect(NodeFacts.safeParse({ ...first, guard })).toMatchObject({ success: true });
  const second = await observer.observe({ ...tick, host: false });
  expect(second.host).toBe(first.host);
  expect(second.agent).toBe(first.agent);
  expect(second.files).toBe(first.files);

  const { stdout } = await promisify(execFile)("ldd", ["--version"]);
  expect(HostFacts.parse(first.host).glibc).toBe(/(\d+\.\d+)\s*$/m.exec(stdout)?.[1]);
  expect(first.host.filesystems.map((fs) => fs.directory)).toContain(
    `${first.agent.dataDirectory}/pg_wal`,
  );
  expect(first.host.secrets).toEqual(["database"]);
  const hba = first.files.find((file) => file.format === "hba");
  expect(hba).toMatchObject({ state: "present", path: cluster.node("srv127").paths.hbaFile });
  expect(hba?.maskedText).toContain("127.0.0.1/32");
});
