import { chmodSync, existsSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { execa } from "execa";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import * as z from "zod";
import { createCluster } from "#test/harness/cluster.ts";
import type { Lab } from "#test/harness/lab.ts";
import { removeLab } from "#test/harness/lab-registry.ts";
import { startLoad } from "#test/harness/load.ts";
import { isAlive } from "#test/harness/processes.ts";
import { projectRoot } from "#test/harness/project-root.ts";
import { bootSystemdHost, systemdRunning } from "#test/harness/systemd-host.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const addresses = { srv127: 127, srv129: 129, srv159: 159, client: 50 };

function hosts(network: string): { name: string; address: string }[] {
  return Object.entries(addresses).map(([name, n]) => ({ name, address: `${network}.${n}` }));
}

function lab(mode: "namespaces" | "loopback"): Promise<Lab> {
  return testLab({ mode, hosts: hosts(mode === "loopback" ? "127.0.4" : "192.168.4") });
}

describe("hosts made of namespaces", () => {
  test("commands run as the user they name, see their own host and end at their limit", async () => {
    const bed = await lab("namespaces");
    const host = bed.host("srv127");
    const { stdout } = await host.exec(["sh", "-c", "id -un; hostname; echo $SECRET; cat"], {
      user: "kingbase",
      env: { SECRET: "from the environment" },
      input: "from input",
    });
    expect(stdout.split("\n")).toEqual([
      "kingbase",
      "srv127",
      "from the environment",
      "from input",
    ]);
    await expect(host.exec(["sleep", "60"], { timeoutMs: 200 })).rejects.toThrow(/within 200 ms/);
    await expect(host.exec(["false"])).rejects.toThrow(/ended with 1/);
    expect((await host.exec(["false"], { reject: false })).exitCode).toBe(1);
    await waitFor(async () => {
      const { stdout: list } = await host.exec(["ps", "-e", "-o", "comm="]);
      return list.split("\n").filter((name) => name === "sleep").length === 1;
    });
  });

  test("what a host writes is its own, and stays over a power loss", async () => {
    const bed = await lab("namespaces");
    const [one, two] = [bed.host("srv127"), bed.host("srv129")];
    await one.writeFile("/etc/cron.d/EXAMPLE", "# one\n", { mode: 0o644 });
    await one.makeDirectory("/home/kingbase/cluster", { owner: "kingbase", mode: 0o700 });
    await one.exec(["sh", "-c", "echo x > /home/kingbase/cluster/file"], { user: "kingbase" });
    await one.exec(["sh", "-c", "echo x > /run/gone; echo x > /dev/shm/gone"]);
    expect(two.exists("/etc/cron.d/EXAMPLE")).toBe(false);
    expect(existsSync("/etc/cron.d/EXAMPLE")).toBe(false);
    await one.powerOff();
    expect(one.isUp()).toBe(false);
    await expect(one.exec(["true"])).rejects.toThrow(/powered off/);
    await one.boot();
    expect(await one.readFile("/etc/cron.d/EXAMPLE")).toBe("# one\n");
    expect(await one.readFile("/home/kingbase/cluster/file")).toBe("x\n");
    expect(one.exists("/run/gone") || one.exists("/dev/shm/gone")).toBe(false);
  });

  test("a dead process is reaped at once, and a host dies without a goodbye on the network", async () => {
    const bed = await lab("namespaces");
    const [one, two] = [bed.host("srv127"), bed.host("srv129")];
    await one.exec(["sh", "-c", "(sleep 0.05 &) ; exit 0"]);
    await waitFor(async () => !(await one.exec(["ps", "-e"])).stdout.includes("defunct"));
    const server = `require("net").createServer((s) => s.write("hello")).listen(7000, () => console.log("up"))`;
    const listener = await two.spawn([two.nodePath, "-e", server]);
    await new Promise((resolve) => listener.stdout?.once("data", resolve));
    const client = `const s = require("net").connect(7000, "srv129");
      s.on("data", () => console.log("data")); s.on("close", () => console.log("closed"));
      s.on("error", (e) => console.log(e.code)); setTimeout(() => process.exit(0), 1500);`;
    const watcher = await one.spawn([one.nodePath, "-e", client]);
    let seen = "";
    watcher.stdout?.on("data", (chunk: Buffer) => (seen += chunk.toString()));
    await waitFor(() => seen.includes("data"));
    await two.powerOff();
    expect(listener.isRunning()).toBe(false);
    await watcher.exited;
    expect(seen).toBe("data\n");
  });

  test("a cable can be cut and mended, and a packet filter loaded, on one host alone", async () => {
    const bed = await lab("namespaces");
    const [one, two] = [bed.host("srv127"), bed.host("srv129")];
    const ping = async (from: typeof one, to: string): Promise<boolean> =>
      (await from.exec(["ping", "-c1", "-W1", to], { reject: false })).exitCode === 0;
    expect(await ping(one, "srv129")).toBe(true);
    expect(await ping(one, bed.gateway)).toBe(true);
    await two.cutLink();
    expect(await ping(one, "srv129")).toBe(false);
    expect(await ping(one, "srv159")).toBe(true);
    await two.healLink();
    expect(await ping(one, "srv129")).toBe(true);
    await one.nft(
      `table inet t { chain in { type filter hook input priority 0; ip saddr ${two.address} drop; }; }`,
    );
    expect(await ping(one, "srv129")).toBe(false);
    expect(await ping(two, "srv159")).toBe(true);
  });
});

const lanes = [
  { mode: "namespaces", product: "kingbase-v8r3" },
  { mode: "namespaces", product: "postgresql" },
  { mode: "loopback", product: "kingbase-v8r3" },
  { mode: "loopback", product: "postgresql" },
] as const;

describe.each(lanes)("a $product cluster in $mode", ({ mode, product }) => {
  test("serves writers and readers through its pools, who lose nothing while nothing happens", async () => {
    const bed = await lab(mode);
    const nodes = ["srv127", "srv129"];
    await using cluster = await createCluster(bed, {
      product,
      nodes,
      newNode: "srv159",
      pool: true,
    });
    expect(cluster.newNode?.host.exists(cluster.newNode.paths.dataDir)).toBe(false);
    const replicas = "select application_name as name, state from pg_stat_replication";
    expect(await cluster.sql("srv127", replicas)).toEqual([{ name: "srv129", state: "streaming" }]);
    const slots = "select slot_name, active from pg_replication_slots";
    expect(await cluster.sql("srv127", slots)).toEqual([
      { slot_name: "slot_srv129", active: true },
    ]);
    expect(await cluster.sql("srv129", slots)).toEqual([
      { slot_name: "slot_srv127", active: false },
    ]);

    await using load = await startLoad(cluster, bed.host("client"));
    const reached = await waitFor(async () => {
      const stats = await load.stats();
      const servers = Object.keys(stats.readsByServer);
      return stats.acknowledgedCount > 50 && servers.length === 2 && servers;
    });
    expect(reached.sort()).toEqual(cluster.nodes.map(({ address }) => address).sort());
    const end = await load.stop();
    expect(end).toMatchObject({ clientErrors: 0, sessionsLost: 0, freshFailed: 0, errors: [] });
    const written = await cluster.sql(
      "srv127",
      "select count(*)::int as n from ledger where id > 0",
    );
    expect(written).toEqual([{ n: end.acknowledgedCount }]);
  });
});

const variants = [
  { version: 10, layout: "plain" },
  { version: 18, layout: "plain" },
  { version: 15, layout: "debian" },
] as const;

test.each(variants)(
  "PostgreSQL $version in the $layout layout streams synchronously, tablespace included",
  async (variant) => {
    const bed = await lab("namespaces");
    const nodes = ["srv127", "srv129"];
    const more = { tablespace: "/srv/elsewhere", synchronous: true, sizeMb: 2 };
    await using cluster = await createCluster(bed, {
      product: "postgresql",
      nodes,
      ...variant,
      ...more,
    });
    const version = await cluster.sql("srv127", "show server_version_num");
    expect(String(version[0]?.["server_version_num"]).slice(0, 2)).toBe(String(variant.version));
    const sync = "select application_name as name, sync_state from pg_stat_replication";
    expect(await cluster.sql("srv127", sync)).toEqual([{ name: "srv129", sync_state: "sync" }]);
    const counts = "select count(*)::int as n from elsewhere";
    expect(await cluster.sql("srv129", counts)).toEqual([{ n: 100 }]);
    const config = await cluster.sql("srv129", "show config_file");
    expect(config).toEqual([{ config_file: cluster.node("srv129").paths.configFile }]);
  },
);

describe("the emulated KingbaseES", () => {
  test("copies, starts, streams and promotes by the product's commands, its files telling no clear password", async () => {
    const bed = await lab("namespaces");
    await using cluster = await createCluster(bed, {
      product: "kingbase-v8r3",
      nodes: ["srv127"],
      newNode: "srv159",
    });
    const { host, paths, slot } = cluster.node("srv159");
    const { superuser } = cluster.passwords;
    const own = { owner: "kingbase", mode: 0o600 };
    await host.writeFile("/home/kingbase/.pass", `*:*:*:SYSTEM:${superuser}\n`, own);
    const kingbase = { user: "kingbase", env: { KCIPASSFILE: "/home/kingbase/.pass" } };
    const makeSlot = "select sys_create_physical_replication_slot('slot_srv159', true)";
    const ksql = [`${paths.binDir}/ksql`, "-h", "srv127", "-U", "SYSTEM", "-Atc", makeSlot, "TEST"];
    expect((await host.exec(ksql, kingbase)).stdout).toContain("slot_srv159");
    const primary = cluster.node("srv127");
    const lines = `${await primary.host.readFile(primary.paths.hbaFile)}host replication SYSTEM 192.168.4.159/32 md5\n`;
    await primary.host.writeFile(primary.paths.hbaFile, lines, own);
    await cluster.sql("srv127", "select sys_reload_conf()");
    const backup = `-h srv127 -p 54321 -U SYSTEM -X stream -S ${slot} -c fast -v -P -D ${paths.dataDir}`;
    const argv = [`${paths.binDir}/sys_basebackup`, ...backup.split(" ")];
    const { stderr } = await host.exec(argv, kingbase);
    expect(stderr).toContain("sys_basebackup: base backup completed");
    expect(host.exists(paths.pidFile)).toBe(false);

    const encoded = Buffer.from(superuser).toString("base64");
    const recovery = `standby_mode = 'on'
primary_conninfo = 'port=54321 host=192.168.4.127 user=SYSTEM password=${encoded} application_name=srv159'
recovery_target_timeline = 'latest'
primary_slot_name ='${slot}'
`;
    await host.writeFile(`${paths.dataDir}/recovery.conf`, recovery, own);
    await cluster.start("srv159");
    expect(await host.readFile(`${paths.dataDir}/recovery.conf`)).toBe(recovery);
    const names = "select application_name as name from sys_stat_replication";
    await waitFor(async () => (await cluster.sql("srv127", names)).length === 1);
    expect(await cluster.sql("srv127", names)).toEqual([{ name: "srv159" }]);
    const processes = await host.exec(["ps", "-eo", "args"]);
    expect(processes.stdout).not.toContain(superuser);
    expect(processes.stdout).toContain(`${paths.binDir}/kingbase -D ${paths.dataDir}`);
    const pidFile = (await host.readFile(paths.pidFile)).split("\n");
    expect(pidFile[1]).toBe(paths.dataDir);
    const grep = await host.exec(["grep", "-rlF", superuser, paths.root], { reject: false });
    expect(grep.stdout).toBe("");
    const control = await host.exec([`${paths.binDir}/sys_controldata`, "-D", paths.dataDir]);
    expect(control.stdout).toMatch(/^Database cluster state: +in archive recovery$/m);

    await host.exec([paths.control, "-D", paths.dataDir, "promote"], { user: "kingbase" });
    await waitFor(() => host.exists(`${paths.dataDir}/recovery.done`));
    expect(await host.readFile(`${paths.dataDir}/recovery.done`)).toBe(recovery);
    await cluster.stop("srv159");
    expect(host.exists(paths.pidFile)).toBe(false);
  });
});

describe("a pair of pools", () => {
  test("hands the VIP over when its holder loses power, and the load counts what that cost", async () => {
    const bed = await lab("namespaces");
    // The primary is on srv127: a VIP elsewhere shows the pool's handover alone.
    await using cluster = await createCluster(bed, {
      product: "postgresql",
      nodes: ["srv127", "srv129"],
      pool: true,
    });
    const { pools } = cluster;
    expect(await pools?.vipHolder()).toBe("srv127");
    await pools?.stop("srv127");
    await waitFor(async () => (await pools?.vipHolder()) === "srv129", { timeoutMs: 20_000 });
    await pools?.start("srv127");
    await using load = await startLoad(cluster, bed.host("client"));
    const before = Date.now();
    await bed.host("srv129").powerOff();
    await waitFor(async () => (await pools?.vipHolder()) === "srv127", { timeoutMs: 60_000 });
    await waitFor(async () => (await load.stats(before)).freshFailed > 0, { timeoutMs: 60_000 });
    const stats = await load.stats(before);
    expect(stats.latency.maxMs).toBeGreaterThan(1000);
    await bed.host("srv129").boot();
    await cluster.start("srv129");
    await waitFor(() => cluster.isRunning("srv129"));
  });
});

describe("a host with systemd", () => {
  test("keeps its services to itself when others run beside it", async () => {
    const bed = await lab("namespaces");
    const pair = [bed.host("srv127"), bed.host("srv129")] as const;
    const unit = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
    for (const host of pair) await host.writeFile("/etc/systemd/system/same.service", unit);
    await Promise.all(pair.map((host) => bootSystemdHost(host)));
    for (const host of pair) await host.exec(["systemctl", "start", "same.service"]);
    await pair[0].exec(["systemctl", "stop", "same.service"]);
    const active = ["systemctl", "is-active", "same.service"];
    expect((await pair[1].exec(active)).stdout).toBe("active");
  });

  test("boots to running, starts enabled units by itself and keeps its disk over a power loss", async () => {
    const bed = await lab("namespaces");
    const host = bed.host("srv127");
    await host.writeFile("/etc/systemd/system/probe.service", probeUnit);
    await bootSystemdHost(host);
    expect((await host.exec(["cat", "/proc/1/comm"])).stdout).toBe("systemd");
    await host.exec(["systemctl", "enable", "--now", "probe.service"]);
    const marks = async (): Promise<number> =>
      host.exists("/srv/marks") ? (await host.readFile("/srv/marks")).length : 0;
    await waitFor(async () => (await marks()) === 2);
    const { stdout: user } = await host.exec(["systemctl", "show", "-P", "User", "probe.service"]);
    expect(user).toBe("kingbase");
    expect((await host.exec(["ping", "-c1", "-W1", "srv129"])).exitCode).toBe(0);
    await host.powerOff();
    await host.boot("systemd");
    await systemdRunning(host);
    await waitFor(async () => (await marks()) === 4);
  });
});

const probeUnit = `[Service]
Type=oneshot
RemainAfterExit=yes
User=kingbase
ExecStartPre=+/bin/sh -c "echo x >> /srv/marks; chmod a+w /srv/marks"
ExecStart=/usr/bin/id
[Install]
WantedBy=multi-user.target
`;

describe("a lab whose program ended", () => {
  test("has no running host left when the program was killed, and is swept by the next lab", async () => {
    const program = await runProgram("{}");
    const { folder, pids, namespaces } = program;
    program.child.kill("SIGKILL");
    const all = [program.child.pid ?? 0, ...pids];
    await waitFor(() => !all.some(isAlive), { what: "the hosts to die with their program" });
    expect(existsSync(folder)).toBe(true);
    await lab("namespaces");
    expect(existsSync(folder)).toBe(false);
    expect(namespaces.filter((name) => existsSync(`/run/netns/${name}`))).toEqual([]);
  });

  test("cleans up by itself when the program is told to stop", async () => {
    const program = await runProgram("{}");
    program.child.kill("SIGTERM");
    await program.child.catch(() => undefined);
    expect(existsSync(program.folder)).toBe(false);
    expect(program.namespaces.filter((name) => existsSync(`/run/netns/${name}`))).toEqual([]);
    await waitFor(() => !program.pids.some(isAlive));
  });

  test("lives on when it is detached, until it is removed by its folder", async () => {
    const program = await runProgram("{ detached: true }");
    program.child.kill("SIGKILL");
    await program.child.catch(() => undefined);
    await lab("namespaces");
    expect(program.pids.every(isAlive)).toBe(true);
    await removeLab(program.folder);
    await waitFor(() => !program.pids.some(isAlive));
    expect(existsSync(program.folder)).toBe(false);
  });
});

/** A program of its own that makes a lab and waits; `options` is code. */
async function runProgram(options: string) {
  // Labs in a place that no other program sweeps meanwhile; it goes after the labs in it.
  const place = mkdtempSync(join(tmpdir(), "castellan-labs-"));
  chmodSync(place, 0o755);
  vi.stubEnv("TMPDIR", place);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(place, { recursive: true });
  });
  const outfile = join(projectRoot(), `node_modules/.cache/castellan-lab-${process.pid}.mjs`);
  await build({
    stdin: {
      contents: `import { createLab } from "#test/harness/lab.ts";
        const lab = await createLab({ hosts: [{ name: "a", address: "192.168.4.2" }], ...${options} });
        const pids = lab.hosts.map((host) => host.initPid());
        console.log(JSON.stringify({ folder: lab.folder, id: lab.id, pids }));
        setInterval(() => undefined, 1000);`,
      resolveDir: projectRoot(),
      loader: "ts",
    },
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["pg-native"],
    banner: {
      js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`,
    },
    logLevel: "silent",
  });
  const child = execa(process.execPath, [outfile], { reject: false, buffer: false });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await waitFor(() => text.endsWith("\n"), { what: "the program's lab" });
  await rm(outfile);
  const said = ProgramLab.parse(JSON.parse(text));
  return { ...said, child, namespaces: [`${said.id}-a`, `${said.id}-sw`] };
}

const ProgramLab = z.object({ folder: z.string(), id: z.string(), pids: z.array(z.int()) });
