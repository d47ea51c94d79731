import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Host } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { addArguments, newestOperation, untilWell } from "./support/operations.ts";
import { poolWorkers, untilRenewed } from "./support/pool-workers.ts";
import { expectRefusal, type Refusal } from "./support/refusal.ts";
import { createScene, type Scene } from "./support/scene.ts";
import { wrongWords } from "./support/wrong-words.ts";

/**
 * One cluster with two pools, in which one thing after the other is wrong. Every refusal is checked for its
 * exit status and words, and for having changed nothing; the last test adds the node after all of them.
 */
let scene: Scene;
let cluster: Scene["cluster"];
let castellan: Scene["castellan"];

beforeAll(async () => {
  scene = await createScene({ pool: true, settings: { max_wal_senders: "4" } });
  ({ cluster, castellan } = scene);
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

const add = (...more: string[]) => addArguments(cluster, ...more);
const refused = (refusal: Refusal): Promise<void> => expectRefusal(cluster, castellan, refusal);

test.each(wrongWords)("$title is refused", async (refusal) => refused(refusal));

test("a cluster.yaml with a mistake is refused with file, line and column", async () => {
  const file = `${castellan.stateDirectory}/clusters/ESHA.yaml`;
  const text = await castellan.coordinatorHost.readFile(file);
  const own = { mode: 0o640, owner: cluster.lane.osUser };
  onTestFinished(() => castellan.coordinatorHost.writeFile(file, text, own));
  await castellan.coordinatorHost.writeFile(
    file,
    text.replace(/address: \S+/, "address: [99]"),
    own,
  );
  await refused({ args: add(), exitCode: 2, says: [/ESHA\.yaml:\d+:\d+/, "address"] });
  await castellan.coordinatorHost.writeFile(file, `${text}nodes: [`, own);
  await refused({ args: add(), exitCode: 2, says: [/ESHA\.yaml:\d+:\d+/] });
});

test("a slot of the new node's name, wherever it is, is refused with the statement that drops it", async () => {
  await cluster.sql("srv129", "SELECT pg_create_physical_replication_slot('slot_srv159')");
  onTestFinished(async () => {
    await cluster.sql("srv129", "SELECT pg_drop_replication_slot('slot_srv159')");
  });
  await refused({
    args: add(),
    exitCode: 3,
    says: ["slot-free (srv129)", "pg_drop_replication_slot('slot_srv159')"],
  });
});

test("a port on which something listens is refused", async () => {
  const { host } = cluster.node("srv159");
  const script = "require('net').createServer().listen(5432, '0.0.0.0', () => console.log('up'))";
  const listener = await host.spawn([host.nodePath, "-e", script]);
  onTestFinished(async () => {
    listener.kill("SIGKILL");
    await listener.exited;
  });
  await waitFor(async () => (await host.exec(["ss", "-ltn"])).stdout.includes(":5432"));
  await refused({ args: add(), exitCode: 3, says: ["port-free (srv159)", "something listens at"] });
});

test("a data directory with something in it, of another mode or of another owner is refused", async () => {
  const { host, paths } = cluster.node("srv159");
  const owner = cluster.lane.osUser;
  onTestFinished(async () => {
    await host.exec(["rm", "-r", paths.dataDir]);
  });
  await host.makeDirectory(paths.dataDir, { owner, mode: 0o700 });
  await host.writeFile(`${paths.dataDir}/precious`, "data", { owner });
  await refused({
    args: add(),
    exitCode: 3,
    says: ["target-directory (srv159)", `${paths.dataDir} holds precious`, "--data-dir"],
  });
  await host.exec(["rm", `${paths.dataDir}/precious`]);
  await host.exec(["chmod", "0755", paths.dataDir]);
  await refused({
    args: add(),
    exitCode: 3,
    says: ["target-mode (srv159)", "mode 0755", `chmod 0700 ${paths.dataDir}`],
  });
  await host.exec(["chmod", "0700", paths.dataDir]);
  await host.exec(["chown", "root:", paths.dataDir]);
  await refused({
    args: add(),
    exitCode: 3,
    says: ["(srv159)", `chown ${owner}: ${paths.dataDir}`],
  });
});

test("F19: a filesystem that is too small, behind a link too, is refused before a byte is copied", async () => {
  const { host, paths } = cluster.node("srv159");
  const folder = "/srv/small";
  await mountMemory(host, folder, "size=8m");
  await host.exec(["mv", paths.root, `${paths.root}.kept`]);
  await host.exec(["ln", "-s", folder, paths.root]);
  onTestFinished(async () => {
    await host.exec(["rm", paths.root]);
    await host.exec(["mv", `${paths.root}.kept`, paths.root]);
  });
  await refused({ args: add(), exitCode: 3, says: ["target-space (srv159)", /MiB to copy/] });
});

test("a filesystem without inodes for the copy's files is refused", async () => {
  const { host, paths } = cluster.node("srv159");
  await mountMemory(host, paths.dataDir, "size=1g,nr_inodes=100");
  await refused({ args: add(), exitCode: 3, says: ["target-inodes (srv159)", /\d+ free under/] });
});

test("no WAL sender to spare and no slot to spare are refused, because both need a restart", async () => {
  const { host } = cluster.node("srv129");
  const spare = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const receivers = await Promise.all(
    ["one", "two"].map(async (name) => {
      const folder = `/run/wal-${name}`;
      await host.makeDirectory(folder, { owner: cluster.lane.osUser });
      const argv = [
        "/usr/lib/postgresql/15/bin/pg_receivewal",
        "-h",
        "192.168.4.127",
        "-U",
        cluster.lane.replicationUser,
        "-D",
        folder,
      ];
      return host.spawn(argv, {
        user: cluster.lane.osUser,
        env: { PGPASSWORD: cluster.passwords.replication },
      });
    }),
  );
  onTestFinished(async () => {
    for (const receiver of receivers) {
      receiver.kill("SIGKILL");
      await receiver.exited;
    }
    await host.exec(["rm", "-r", "/run/wal-one", "/run/wal-two"]);
    for (const n of spare)
      await cluster.sql("srv127", "SELECT pg_drop_replication_slot($1)", [`spare_${n}`]);
  });
  await waitFor(
    async () => {
      const rows = await cluster.sql(
        "srv127",
        "SELECT count(*)::int AS n FROM pg_stat_replication",
      );
      return rows[0]?.["n"] === 3;
    },
    // One that finds every sender taken for a moment tries again after 5 s.
    { timeoutMs: 30_000, what: "three WAL senders" },
  );
  // They keep their senders, and write no WAL into their folders between two looks at the hosts.
  for (const receiver of receivers) receiver.kill("SIGSTOP");
  for (const n of spare) {
    await cluster.sql("srv127", "SELECT pg_create_physical_replication_slot($1)", [`spare_${n}`]);
  }
  await refused({
    args: add(),
    exitCode: 3,
    says: [
      "wal-senders (srv127)",
      "max_wal_senders",
      "slots-free (srv127)",
      "max_replication_slots",
      "restart",
    ],
  });
});

test("a synchronous list that would take anybody is refused", async () => {
  await alterSystem("synchronous_standby_names", "'*'");
  await refused({ args: add(), exitCode: 3, says: ["sync-list-named", "*"] });
});

test("libraries and extensions that the new host does not have are refused by their names", async () => {
  const { host } = cluster.node("srv159");
  await cluster.sql("srv127", "CREATE EXTENSION hstore");
  onTestFinished(async () => {
    await cluster.sql("srv127", "DROP EXTENSION hstore");
  });
  await alterSystem("session_preload_libraries", "'auto_explain'");
  await without("/usr/lib/postgresql/15/lib", "auto_explain.so");
  await without("/usr/share/postgresql/15/extension", "hstore.control");
  await refused({
    args: add(),
    exitCode: 3,
    says: ["preload-libraries (srv159)", "auto_explain", "extensions (srv159)", "hstore"],
  });

  /** The folder as it is, but for one file: mounted over it on this host alone. */
  async function without(folder: string, file: string): Promise<void> {
    const copy = `/run/without-${file}`;
    await host.exec(["cp", "-a", folder, copy]);
    await host.exec(["rm", `${copy}/${file}`]);
    await host.exec(["mount", "--bind", copy, folder]);
    onTestFinished(async () => {
      await host.exec(["umount", folder]);
      await host.exec(["rm", "-r", copy]);
    });
  }
});

test("auto_failback, which attaches at moments of its own, is refused", async () => {
  const pool = cluster.pools?.nodes.find(({ name }) => name === "srv129");
  if (pool === undefined) throw new Error("no pool");
  const file = pool.pool.configFile;
  const text = await pool.host.readFile(file);
  const own = { mode: 0o600, owner: cluster.lane.osUser };
  onTestFinished(() => pool.host.writeFile(file, text, own));
  await pool.host.writeFile(file, `${text}\nauto_failback = on\n`, own);
  await refused({
    args: add(),
    exitCode: 3,
    says: ["auto-failback (srv129)", "auto_failback = off"],
  });
});

test("a password that is missing, or that the server does not take, is refused with the line that sets it", async () => {
  const { host } = cluster.node("srv159");
  const secret = "/var/lib/castellan-agent/secrets/replication";
  await host.exec(["mv", secret, "/run/replication"]);
  await refused({
    args: add(),
    exitCode: 3,
    says: ["secrets (srv159)", "castellan-agent secret set replication"],
  });
  // The server tells a wrong password from a missing line only where there is a line.
  const hba = cluster.node("srv127");
  const before = await hba.host.readFile(hba.paths.hbaFile);
  const own = { mode: 0o600, owner: cluster.lane.osUser };
  onTestFinished(async () => {
    await host.exec(["mv", "/run/replication", secret]);
    await hba.host.writeFile(hba.paths.hbaFile, before, own);
    await cluster.sql("srv127", "SELECT pg_reload_conf()");
  });
  await hba.host.writeFile(
    hba.paths.hbaFile,
    `host replication all 192.168.4.159/32 md5\n${before}`,
    own,
  );
  await cluster.sql("srv127", "SELECT pg_reload_conf()");
  await host.writeFile(secret, "not-the-password", { mode: 0o600, owner: cluster.lane.osUser });
  await refused({
    args: add(),
    exitCode: 3,
    says: ["replication-login (srv159)", "castellan-agent secret set replication"],
  });
});

test("a pool that is stopped is refused", async () => {
  await cluster.pools?.stop("srv129");
  onTestFinished(async () => {
    await cluster.pools?.start("srv129");
    await untilWell(castellan, cluster);
  });
  await refused({
    args: add(),
    exitCode: 3,
    says: ["pool-running (srv129)", "Start the pool on srv129"],
  });
});

test("after all of these the node is prepared in the pools, and adding it is an attach alone", async () => {
  const prepare = ["pool", "prepare", "ESHA", "srv159", "--address", "192.168.4.159", "--yes"];
  expect(await newestOperation(castellan)).toBe(null);
  const prepared = await castellan.cli(prepare, { reject: false });
  expect(prepared.exitCode, prepared.stdout + prepared.stderr).toBe(0);
  const { pools } = cluster;
  if (pools === null) throw new Error("no pools");
  const statuses = async (node: string) => (await pools.show(node)).map((row) => row["status"]);
  expect(await statuses("srv129")).toEqual(["up", "up", "down"]);
  const workers = poolWorkers(pools);
  const added = await castellan.cli(add(), { reject: false });
  expect(added.exitCode, added.stdout + added.stderr).toBe(0);
  expect(added.stdout).toContain("Way (a), attach");
  expect(await statuses("srv127")).toEqual(["up", "up", "up"]);
  await untilRenewed(pools, workers);
  await refused({ args: add(), exitCode: 3, says: ["srv159 (192.168.4.159) in ESHA"] });
});

/** Until the end of the test at hand. */
async function alterSystem(name: string, value: string): Promise<void> {
  await cluster.sql("srv127", `ALTER SYSTEM SET ${name} = ${value}`);
  await cluster.sql("srv127", "SELECT pg_reload_conf()");
  onTestFinished(async () => {
    await cluster.sql("srv127", `ALTER SYSTEM RESET ${name}`);
    await cluster.sql("srv127", "SELECT pg_reload_conf()");
  });
}

/** Until the end of the test at hand: the data directory as a mount point, as the database's user wants it. */
async function mountMemory(host: Host, folder: string, options: string): Promise<void> {
  await host.makeDirectory(folder, { owner: cluster.lane.osUser, mode: 0o700 });
  await host.exec(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]);
  onTestFinished(async () => {
    await host.exec(["umount", folder]);
    await host.exec(["rmdir", folder]);
  });
  await host.exec(["chown", `${cluster.lane.osUser}:`, folder]);
  await host.exec(["chmod", "0700", folder]);
}
