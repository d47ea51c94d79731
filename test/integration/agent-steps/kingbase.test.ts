import { mkdtemp, readFile, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { baseBackup } from "#agent/steps/base-backup.ts";
import { createSlot } from "#agent/steps/create-slot.ts";
import { joinRegime } from "#agent/steps/join-regime.ts";
import { openHba } from "#agent/steps/open-hba.ts";
import { placeDataDirectory } from "#agent/steps/place-data-directory.ts";
import { probeTarget } from "#agent/steps/probe-target.ts";
import { proveStreaming } from "#agent/steps/prove-streaming.ts";
import { startDatabase } from "#agent/steps/start-database.ts";
import { verifyData } from "#agent/steps/verify-data.ts";
import { writeNodeFiles } from "#agent/steps/write-node-files.ts";
import { parseHaModule, haArray, haText } from "#shared/config-files/ha-module.ts";
import { parseRecoveryConf } from "#shared/config-files/recovery-conf.ts";
import { effective, parseServerConf } from "#shared/config-files/server-conf.ts";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import type { CommandArgs, Upstream } from "#shared/domain/commands.ts";
import { kingbaseV8R3 } from "#shared/products/kingbase-v8r3.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import { becomeDatabaseUser } from "./become-user.ts";
import { runStep } from "./run-step.ts";
import { freePort } from "./step-lab.ts";
import { createTestAgent, type TestAgent } from "./test-agent.ts";

/** KingbaseES' names on PostgreSQL 10 (see test/harness/kingbase/README.md): the emulated lane. */
let lab: Lab;
let cluster: TestCluster;
let primary: TestAgent;
let target: TestAgent;
let node: NodeDeclaration;
let upstream: Upstream;
let backup: CommandArgs<"base-backup">;
let files: CommandArgs<"write-node-files">;
let before: Record<string, string[]>;
let state: string;
const rootHelperCalls: string[] = [];

beforeAll(async () => {
  becomeDatabaseUser();
  lab = await createLab({
    mode: "loopback",
    hosts: [
      { name: "srv127", address: "127.0.14.127" },
      { name: "srv159", address: "127.0.14.159" },
    ],
  });
  const port = await freePort();
  cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127"],
    newNode: "srv159",
    port,
    synchronous: true,
    settings: { synchronous_commit: "local" },
  });
  state = await mkdtemp(join(tmpdir(), "castellan-kingbase-"));
  primary = await agentOn(cluster.node("srv127"), state);
  target = await agentOn(cluster.node("srv159"), state);
  const existing = declare(cluster.node("srv127"));
  node = declare(cluster.node("srv159"));
  upstream = { node: "srv127", host: existing.address, port, user: "SYSTEM", database: "TEST" };
  const declaration: ClusterDeclaration = {
    name: "ESHA",
    product: "kingbase-v8r3",
    pool: "none",
    database: { name: "TEST", replicationUser: "SYSTEM", maintenanceUser: "SYSTEM" },
    virtualAddresses: { database: null, pool: null },
    trustAddresses: [],
    nodes: [existing, node],
  };
  const identifier = await cluster.sql(
    "srv127",
    "SELECT system_identifier::text AS id FROM pg_control_system()",
  );
  const stagingDirectory = `${node.paths.dataDirectory}.castellan-copy`;
  backup = {
    source: upstream,
    slot: node.slot,
    slotHolder: upstream,
    stagingDirectory,
    dataDirectory: node.paths.dataDirectory,
    tablespaces: [],
    maxRateBytesPerSecond: null,
    expectedBytes: 30e6,
    stallMs: 20_000,
    systemIdentifier: String(identifier[0]?.["id"]),
  };
  files = {
    cluster: declaration,
    node,
    upstream,
    stagingDirectory,
    settings: [
      { name: "listen_addresses", value: node.address },
      // The source's socket has the same name: on hosts of their own they would not meet.
      { name: "unix_socket_directories", value: "" },
    ],
    hbaRules: [],
    outsideFiles: [],
    haModule: {
      scalars: [
        { key: "DEV", value: "ens33" },
        { key: "KB_LOCALHOST_IP", value: node.address },
        { key: "NODE_NAME", value: node.name },
        { key: "KB_PASS", value: { secret: "database" } },
      ],
      arrays: [
        { key: "KB_ALL_IP", values: [existing.address, node.address] },
        { key: "ALL_NODE_NAME", values: ["srv127", "srv159"] },
      ],
    },
    directories: [...(kingbaseV8R3.vendor?.directories(node.paths.root ?? "") ?? [])],
  };
  before = await listing();
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
  await primary[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
  await rm(state, { recursive: true });
});

function declare({ name, address, port, slot, paths }: ClusterNode): NodeDeclaration {
  return {
    name,
    address,
    port,
    slot,
    nic: "ens33",
    paths: {
      root: paths.root,
      binDirectory: paths.binDir,
      dataDirectory: paths.dataDir,
      configFile: paths.configFile,
      hbaFile: paths.hbaFile,
      identFile: paths.identFile,
    },
    backendId: null,
    pool: null,
  };
}

function agentOn(where: ClusterNode, state: string): Promise<TestAgent> {
  const { paths } = declare(where);
  const password = cluster.passwords.superuser;
  return createTestAgent({
    product: "kingbase-v8r3",
    node: where.name,
    stateDirectory: join(state, where.name),
    allowedPaths: [where.paths.root],
    paths,
    database: { host: where.address, port: where.port, name: "TEST", user: "SYSTEM" },
    secrets: { database: password, replication: password },
    rootHelper: {
      verbs: async () => [],
      run: async (verb) => {
        rootHelperCalls.push(verb);
        return {
          exitCode: 0,
          signal: null,
          stdout: "",
          stderr: [],
          durationMs: 1,
          timedOut: false,
        };
      },
      open: () => Promise.reject(new Error("not opened here")),
    },
  });
}

/** Everything in the new node's root, and below db. */
async function listing(): Promise<Record<string, string[]>> {
  const root = node.paths.root ?? "";
  const entries = ["", "/db"].map(async (name) => [name, await readdir(`${root}${name}`)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

const read = (path: string): Promise<string> => readFile(path, "latin1");

test("the new host is looked at without making anything", async () => {
  const answer = await probeTarget.verify(
    {
      dataDirectory: node.paths.dataDirectory,
      stagingDirectory: backup.stagingDirectory,
      port: node.port,
      address: node.address,
      directories: files.directories,
      sharedPreloadLibraries: ["no_such_library"],
      extensions: ["plpgsql", "no_such_extension"],
      nic: "lo",
      trustAddresses: ["127.0.0.1"],
    },
    target,
  );
  expect(answer).toMatchObject({
    dataDirectory: { state: "absent", parentWritable: true, isMountPoint: false },
    stagingState: "absent",
    addressIsLocal: true,
    missingLibraries: ["no_such_library"],
    missingExtensions: ["no_such_extension"],
    missingPrograms: [],
    licenceFile: "present",
    nicPrefix: 8,
    trustReachable: [{ address: "127.0.0.1", reachable: true }],
  });
  expect(await listing()).toEqual(before);
});

test("slot, copy, files, place and start give a standby with the product's own files", async () => {
  const slot = { slot: node.slot, forNode: node.name, reserve: true, walBudgetBytes: 1e9 };
  await runStep(createSlot, slot, primary);
  await runStep(baseBackup, backup, target);
  await runStep(writeNodeFiles, files, target);
  await runStep(placeDataDirectory, backup, target);
  await runStep(startDatabase, { dataDirectory: backup.dataDirectory, stallMs: 20_000 }, target);
  const proof = await proveStreaming.verify(
    {
      upstream,
      applicationName: node.name,
      slot: node.slot,
      lagLimitBytes: 16e6,
      stallMs: 20_000,
    },
    target,
  );
  expect(proof.upstreamLsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
});

test("recovery.conf and the vendor's template are this node's own, with a base64 password", async () => {
  const text = await read(`${node.paths.dataDirectory}/recovery.conf`);
  const { standby, complaints } = parseRecoveryConf(text);
  expect(complaints).toEqual([]);
  expect(standby).toMatchObject({ standbyMode: true, primarySlotName: "slot_srv159" });
  expect(standby.recoveryTargetTimeline).toBe("latest");
  const values = standby.primaryConninfo?.values;
  expect(values?.get("application_name")).toBe("srv159");
  const encoded = Buffer.from(cluster.passwords.superuser).toString("base64");
  expect(values?.get("password")).toBe(encoded);
  const root = node.paths.root ?? "";
  expect(await read(`${root}/db/etc/recovery.done`)).toBe(text);
  expect((await stat(`${root}/db/etc/recovery.done`)).mode & 0o777).toBe(0o600);
});

test("both kingbase.conf are equal and have no active synchronous list", async () => {
  const root = node.paths.root ?? "";
  const conf = await read(node.paths.configFile);
  expect(await read(`${root}/db/etc/kingbase.conf`)).toBe(conf);
  expect(effective(parseServerConf(conf)).has("synchronous_standby_names")).toBe(false);
  expect(conf).toContain("#synchronous_standby_names");
  expect(effective(parseServerConf(conf)).get("listen_addresses")?.value).toBe(node.address);
});

test("HAmodule.conf says who this node is, and its secret comes from this host's store", async () => {
  const root = node.paths.root ?? "";
  const module = parseHaModule(await read(`${root}/db/etc/HAmodule.conf`));
  expect(module.complaints).toEqual([]);
  expect(haText(module, "KB_LOCALHOST_IP")).toBe(node.address);
  expect(haText(module, "NODE_NAME")).toBe("srv159");
  expect(haArray(module, "ALL_NODE_NAME")).toEqual(["srv127", "srv159"]);
  const encoded = Buffer.from(cluster.passwords.superuser).toString("base64");
  expect(haText(module, "KB_PASS")).toBe(encoded);
});

test("the content is equal on both sides", async () => {
  const result = await verifyData.verify(
    { upstream, level: "content", maxTables: 10, stallMs: 20_000 },
    target,
  );
  expect(result.tables.length).toBeGreaterThan(0);
  expect(result.tables.every(({ outcome }) => outcome === "equal")).toBe(true);
});

test("hba lines are appended and taken out again where the server has no view of them", async () => {
  const file = cluster.node("srv127").paths.hbaFile;
  const text = await read(file);
  const rule = { type: "host", database: "replication", user: "SYSTEM", method: "md5" } as const;
  const args = { file, rules: [{ ...rule, address: "10.1.2.3/32" }] };
  const isCovered = /replication\s+SYSTEM\s+0\.0\.0\.0\/0/.test(text);
  await runStep(openHba, args, primary);
  expect((await read(file)) === text).toBe(isCovered);
  await openHba.undo(args, primary);
  expect(await read(file)).toBe(text);
});

test("the node joins with its cron line commented while the guard is in charge", async () => {
  const regime = { dataDirectory: node.paths.dataDirectory, vendorInCharge: false };
  await runStep(joinRegime, regime, target);
  expect(rootHelperCalls).toEqual(["cron-install-node-line-commented"]);
  await joinRegime.undo(regime, target);
  expect(rootHelperCalls.at(-1)).toBe("cron-remove-node-line");
});

test("undo of every step gives the software tree back as it was", async () => {
  await startDatabase.undo({ dataDirectory: backup.dataDirectory, stallMs: 20_000 }, target);
  await placeDataDirectory.undo(backup, target);
  await writeNodeFiles.undo(files, target);
  await baseBackup.undo(backup, target);
  const slot = { slot: node.slot, forNode: node.name, reserve: true, walBudgetBytes: 1e9 };
  await createSlot.undo(slot, primary);
  expect(await listing()).toEqual(before);
  expect(await target.ledger.list("")).toEqual([]);
  expect(await primary.ledger.list("")).toEqual([]);
});
