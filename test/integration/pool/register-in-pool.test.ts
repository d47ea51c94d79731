import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BackendRow } from "#shared/domain/commands.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ExecResult, Host } from "#test/harness/host.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import type { PoolNode, Pools } from "#test/harness/pool.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import {
  installRootHelper,
  startStepRunner,
  type StepRunner,
} from "#test/e2e/registration-ways/step-runner.ts";

/**
 * The agent's pool steps against the vendor's shape of a pool: kingbasecluster (emulated) that runs as root, its agent
 * as kingbase with the one sudoers line. Without root the pool is the user's own and there is no helper: the same tests
 * then see the other ways that the steps have.
 */
const isRoot = process.getuid?.() === 0;
let lab: Lab;
let cluster: TestCluster;
let pools: Pools;
let node: PoolNode;
let host: Host;
let runner: StepRunner;
let row: BackendRow;

beforeAll(async () => {
  const [first, second] = isRoot
    ? ["192.168.4.127", "192.168.4.129"]
    : ["127.0.4.127", "127.0.4.129"];
  lab = await createLab({
    hosts: [
      { name: "srv127", address: first ?? "" },
      { name: "srv129", address: second ?? "" },
    ],
  });
  cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127", "srv129"],
    pool: true,
  });
  const [one] = cluster.pools?.nodes ?? [];
  if (cluster.pools === null || one === undefined) throw new Error("the cluster has no pool");
  pools = cluster.pools;
  node = one;
  host = node.host;
  await installRootHelper(cluster, node);
  runner = await startStepRunner(cluster, pools, node);
  row = {
    id: 2,
    // Nothing listens there, but its host answers at once that it does not.
    hostname: second ?? "",
    port: 54_329,
    weight: 1,
    dataDirectory: node.paths.dataDir,
    applicationName: "srv159",
  };
}, 90_000);

afterAll(async () => {
  await runner[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
  lab.assertNoLeftovers();
});

test("a row is appended, loaded without a restart, and found done the second time", async () => {
  const file = node.pool.configFile;
  const before = await host.readFile(file);
  const pid = await poolPid();
  const made = await runner.command("append-backend", { file, row });
  expect(made.alreadyDone).toBe(false);
  expect(made.lines[0]).toBe(`backend 2 ${row.hostname}:54329 is in ${file} and loaded, down`);
  expect(made.lines[1]).toContain(`the pool is still process ${pid}`);
  expect(made.lines[1]).toContain(`no crash in ${node.pool.logFile}`);
  const after = await host.readFile(file);
  expect(after.startsWith(before)).toBe(true);
  expect(after.slice(before.length).trim().split("\n")).toHaveLength(6);
  expect(await host.exec(["stat", "-c", "%a", file])).toMatchObject({
    stdout: expect.stringMatching(/^600/),
  });
  // Another operation finds it, and touches nothing.
  const again = await runner.command("append-backend", { file, row }, "run", "op-somebodyelse");
  expect(again.alreadyDone).toBe(true);
  expect(await host.readFile(file)).toBe(after);
});

test("another backend of that id, and the same backend under another id, are refused", async () => {
  const file = node.pool.configFile;
  const before = await host.readFile(file);
  const other = { ...row, hostname: "192.168.4.160" };
  await expect(runner.command("append-backend", { file, row: other })).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
    message: expect.stringContaining(`backend 2 in ${file} is ${row.hostname}:54329`),
  });
  const twice = { ...row, id: 3 };
  await expect(runner.command("append-backend", { file, row: twice })).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
  });
  await expect(runner.command("attach-backend", { row: { ...row, id: 7 } })).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringContaining("has not loaded"),
  });
  expect(await host.readFile(file)).toBe(before);
});

test("an undo by another operation takes nothing; the one of its own leaves the file as it was", async () => {
  const file = node.pool.configFile;
  const withRow = await host.readFile(file);
  await runner.command("append-backend", { file, row }, "undo", "op-somebodyelse");
  expect(await host.readFile(file)).toBe(withRow);
  // A person's line in between stays.
  await host.writeFile(file, `${withRow}# kept by us\n`, {
    owner: cluster.lane.osUser,
    mode: 0o600,
  });
  const undone = await runner.command("append-backend", { file, row }, "undo");
  expect(undone.lines).toContain(`the running pool keeps backend 2: down until its next restart`);
  expect(await host.readFile(file)).toMatch(/'srv129'\n# kept by us\n$/);
  expect(await host.readFile(file)).not.toContain("backend_hostname2");
  const nothing = await runner.command("append-backend", { file, row }, "undo");
  expect(nothing.alreadyDone).toBe(true);
});

test("a row that the pool still has is taken up again for the same backend only", async () => {
  const file = node.pool.configFile;
  const other = { ...row, hostname: "192.168.4.160" };
  await expect(runner.command("append-backend", { file, row: other })).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
    message: expect.stringContaining("of the running pool is"),
  });
  await runner.command("append-backend", { file, row });
  const undone = await runner.command("append-backend", { file, row }, "undo");
  expect(undone.lines.join("\n")).toContain("byte for byte as it was before");
});

test("an undo that was cut off between the file and the pool's reload reloads the pool when it is told again", async () => {
  const file = node.pool.configFile;
  const before = await host.readFile(file);
  await runner.command("append-backend", { file, row });
  await host.writeFile(file, before, { owner: cluster.lane.osUser, mode: 0o600 });
  const log = await host.readFile(node.pool.logFile);
  const undone = await runner.command("append-backend", { file, row }, "undo");
  expect(undone.lines.join("\n")).toContain("reloaded by");
  await waitFor(
    async () => (await host.readFile(node.pool.logFile)).slice(log.length).includes("reload"),
    { what: "the pool's own word of its reload" },
  );
  expect(await host.readFile(file)).toBe(before);
});

test("both copies of the lists get the node, and lose it again byte for byte", async () => {
  const files = [
    `${node.paths.root}/db/etc/HAmodule.conf`,
    `${node.paths.root}/kingbasecluster/etc/HAmodule.conf`,
  ];
  const before = await Promise.all(files.map((file) => host.readFile(file)));
  const args = { files, node: "srv159", address: "192.168.4.159" };
  const done = await runner.command("register-ha-lists", args);
  expect(done.lines).toEqual(files.map((file) => `${file}: ALL_NODE_NAME=(srv127 srv129 srv159)`));
  for (const file of files) expect(await host.readFile(file)).toContain("192.168.4.159)");
  expect((await runner.command("register-ha-lists", args)).alreadyDone).toBe(true);
  await runner.command("register-ha-lists", args, "undo");
  expect(await Promise.all(files.map((file) => host.readFile(file)))).toEqual(before);
});

test("a list that is no plain list stops the step before any copy is edited", async () => {
  const file = `${node.paths.root}/db/etc/HAmodule.conf`;
  const second = `${node.paths.root}/kingbasecluster/etc/HAmodule.conf`;
  const before = await host.readFile(file);
  const good = await host.readFile(second);
  const owner = { owner: cluster.lane.osUser, mode: 0o644 };
  await host.writeFile(second, good.replace(/^KB_ALL_IP=.*$/m, 'KB_ALL_IP="a b"'), owner);
  await expect(
    runner.command("register-ha-lists", {
      files: [file, second],
      node: "srv159",
      address: "10.0.0.1",
    }),
  ).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  expect(await host.readFile(file)).toBe(before);
  await host.writeFile(second, good, owner);
});

test("reads through the pool name the server that answered them", async () => {
  const { address, port } = cluster.nodes[1] ?? node;
  const { superuser, database } = cluster.lane;
  const pool = { host: node.address, port: pools.port, user: superuser, database };
  const args = { pool, nodeAddress: address, nodePort: port, stallMs: 20_000 };
  const proof = await runner.command("prove-reads", args);
  expect(proof.readsAnsweredByNode).toBe(1);
  await expect(
    runner.command("prove-reads", { ...args, nodeAddress: "192.168.4.250", stallMs: 300 }),
  ).rejects.toMatchObject({ code: "VERIFICATION_FAILED" });
});

test("a door is held where root's helper is installed, and elsewhere it is said why not", async () => {
  const held = await runner.command("hold-door", { ports: [pools.port], forMs: 1000 });
  if (!isRoot) {
    expect(held).toMatchObject({ held: false, reason: expect.stringContaining("no root helper") });
    return;
  }
  expect(held).toMatchObject({ held: true, reason: null });
  expect(await rules()).toContain(`elements = { ${pools.port} timeout 1s`);
  const released = await runner.command("release-door", { ports: [pools.port] });
  expect(released.lines[0]).toMatch(/was held for \d+ ms$/);
  expect(await rules()).not.toContain("castellan");
  const other = await runner.command("hold-door", { ports: [pools.port, 5432], forMs: 100 });
  expect(other.reason).toContain("don't name port 5432");
  expect(await rules()).not.toContain("castellan");
});

test("sudo lets the agent's user do the fixed verbs and nothing else", async () => {
  if (!isRoot) return;
  expect((await asAgent(["verbs"])).stdout.split("\n")).toContain("cron-comment");
  expect((await asAgent(["pool-status"])).stdout).toBe(`running ${await poolPid()}`);
  const refused = [
    ["install", "--user", "kingbase", "--product", "postgresql"],
    ["--settings", "/tmp/mine.json", "verbs"],
    ["door", "shut"],
    ["cron-read", "/etc/shadow"],
    [],
  ];
  for (const args of refused) {
    const end = await asAgent(args);
    expect([args, end.exitCode, end.stderr]).toEqual([args, 1, expect.stringMatching(/sudo: /)]);
  }
  // A variable of the caller must not reach the program that root runs.
  const tried = await asAgent(["verbs"], { NODE_OPTIONS: "--require=/tmp/mine.js" });
  expect(tried.exitCode).toBe(0);
  const settings = "/etc/castellan/root-helper.json";
  expect(await host.exec(["stat", "-c", "%U %a", settings])).toMatchObject({
    stdout: "root 644",
  });
  await host.exec(["chmod", "666", settings]);
  expect(await asAgent(["pool-reload"])).toMatchObject({ exitCode: 2 });
  await host.exec(["chmod", "644", settings]);
});

test("the vendor's cron lines are commented by the helper and given back byte for byte", async () => {
  if (!isRoot) return;
  const file = "/etc/cron.d/KINGBASECRON";
  const before = (await host.readFile(file)).replaceAll(/^#(?=\*\/1)/gm, "");
  await host.writeFile(file, before, { mode: 0o644 });
  await asAgent(["cron-comment"]);
  expect((await host.readFile(file)).match(/^#\*\/1 /gm)).toHaveLength(2);
  await asAgent(["cron-restore"]);
  expect(await host.readFile(file)).toBe(before);
});

async function rules(): Promise<string> {
  return (await host.exec(["nft", "list", "ruleset"])).stdout;
}

function asAgent(args: readonly string[], env: Record<string, string> = {}): Promise<ExecResult> {
  const argv = ["sudo", "-n", host.nodePath, "/srv/castellan/castellan-root.mjs", ...args];
  return host.exec(argv, { user: cluster.lane.osUser, env, reject: false });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

async function poolPid(): Promise<string> {
  return waitFor(async () => (await host.readFile(node.pool.pidFile)).replaceAll(/\D/g, ""), {
    what: "the pool's pid file",
  });
}

test("a pool's file is put back and reloaded, and as it was after an undo; a stopped pool reads it at its start", async () => {
  const file = node.pool.configFile;
  const before = await host.readFile(file);
  const rowNow = { ...row, id: 3, port: 54_331 };
  const edit = "op-edits4restore";
  await runner.command("append-backend", { file, row: rowNow }, "run", edit);
  const after = await host.readFile(file);
  const restore = {
    path: file,
    format: "pool-conf" as const,
    from: sha256(after),
    to: { hash: sha256(before), mode: null, owner: null },
  };
  const done = await runner.command("restore-file", restore, "run", "op-restores1");
  expect(await host.readFile(file)).toBe(before);
  expect(done.lines[0]).toContain("is as accepted");
  const undone = await runner.command("restore-file", restore, "undo", "op-restores1");
  expect(await host.readFile(file)).toBe(after);
  expect(undone.lines.join()).toContain("the pool was reloaded by");
  await pools.stop(node.name);
  try {
    await runner.command("restore-file", restore, "run", "op-restores2");
    expect(await host.readFile(file)).toBe(before);
  } finally {
    await pools.start(node.name);
  }
  await runner.command("append-backend", { file, row: rowNow }, "undo", edit);
  expect(await host.readFile(file)).toBe(before);
});

test("a pool that was stopped meanwhile does not keep its row from being taken back", async () => {
  const file = node.pool.configFile;
  const before = await host.readFile(file);
  const rowNow = { ...row, id: 3, port: 54_330 };
  await runner.command("append-backend", { file, row: rowNow });
  await pools.stop(node.name);
  try {
    const undone = await runner.command("append-backend", { file, row: rowNow }, "undo");
    expect(undone.lines).toContain("no pool runs here: it reads the file when it is started");
    expect(await host.readFile(file)).toBe(before);
  } finally {
    await pools.start(node.name);
  }
});
