import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { HostEvent } from "#agent/host-event.ts";
import { createLoop } from "#agent/loop.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { startDriftBed } from "../support/drift-bed.ts";
import { mountMute } from "#test/harness/faults/mute-mount.ts";
import { createLab } from "#test/harness/lab.ts";
import { chooseLane } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import {
  clusterNodeSettings,
  createNodePorts,
  ownHosts,
} from "#test/integration/agent-observe/node-ports.ts";
import { noSelfFence } from "#test/unit/agent/no-self-fence.ts";

/** The loop of one agent on a primary, whose configuration draws in two files from a directory of its own. */
async function startBed() {
  const lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  chooseLane(lab, { product: "postgresql" });
  const cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  const settings = clusterNodeSettings(cluster, "srv127");
  const { configFile, hbaFile } = settings.paths;
  const share = `${lab.folder}/share`;
  const shared = ["one.conf", "two.conf"].map((name) => `${share}/${name}`);
  await mkdir(share);
  for (const path of shared) await writeFile(path, "work_mem = 8MB\n");
  const lines = shared.map((path) => `include '${path}'\n`).join("");
  await writeFile(configFile, `${await readFile(configFile, "utf8")}${lines}`);
  const node = await createNodePorts({
    settings,
    databasePassword: cluster.passwords.superuser,
  });
  const events: HostEvent[] = [];
  const loop = createLoop({
    ports: node.ports,
    expected: node.expected,
    startedAt: 1,
    onFacts: () => undefined,
    onHostEvent: (event) => events.push(event),
    selfFence: noSelfFence,
  });
  return {
    cluster,
    host: lab.host("srv127"),
    loop,
    share,
    shared,
    hbaFile,
    dataDirectory: settings.paths.dataDirectory,
    accept: async () => {
      const { files } = await loop.observeNow();
      loop.setBaselines(files.map(({ path, hash, mode, owner }) => ({ path, hash, mode, owner })));
    },
    about: (cause: string) => events.filter((event) => event.cause === cause),
    [Symbol.asyncDispose]: async () => {
      await loop[Symbol.asyncDispose]();
      await node[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    },
  };
}

const cause = "watch:no-answer";
const minute = { timeoutMs: 60_000 };

test("a file system below included files that answers nothing is told, and hides no change of others", async () => {
  await using bed = await startBed();
  await bed.accept();
  const before = await bed.loop.observeNow();
  {
    await using fault = await mountMute(bed.host, bed.share);
    await waitFor(() => bed.about(cause).length > 0, { ...minute, what: "the alert" });
    expect(bed.about(cause)).toMatchObject([{ severity: "warning" }]);
    expect(bed.about(cause)[0]?.detail).toContain(`${bed.share} has not answered since `);
    await writeFile(bed.hbaFile, `${await readFile(bed.hbaFile, "utf8")}# by hand\n`);
    await waitFor(() => bed.about(`file:${bed.hbaFile}`).length > 0, { ...minute, what: "drift" });
    await waitFor(() => bed.loop.facts()?.database.status === "running", {
      ...minute,
      what: "a new session",
    });
    await bed.cluster.sql("srv127", "select pg_switch_wal()");
    const { database, files } = await bed.loop.observeNow();
    expect(database.status).toBe("running");
    expect(database.position).not.toBe(before.database.position);
    expect(await hangingBackends(bed.cluster)).toBeLessThanOrEqual(1);
    const shown = files.filter(({ path }) => bed.shared.includes(path));
    expect(shown).toEqual(before.files.filter(({ path }) => bed.shared.includes(path)));
    expect([1, 2, 3]).toContain(await blockedThreads());
    await fault.heal();
  }
  await waitFor(() => bed.about(cause).length > 1, { ...minute, what: "the end" });
  expect(bed.about(cause)[1]).toMatchObject({ kind: "guard-cleared" });
  for (const path of bed.shared) expect(bed.about(`file:${path}`)).toEqual([]);
  await writeFile(bed.shared[0] ?? "", "work_mem = 9MB\n");
  await waitFor(() => bed.about(`file:${bed.shared[0]}`).length > 0, { ...minute, what: "drift" });
});

test("a data directory that answers nothing makes the database unreachable, and the rest is told", async () => {
  await using bed = await startBed();
  await bed.accept();
  const hash = createHash("sha256").update("work_mem = 10MB\n").digest("hex");
  {
    await using fault = await mountMute(bed.host, bed.dataDirectory);
    await waitFor(() => bed.loop.facts()?.database.status === "unreachable", {
      ...minute,
      what: "the database to be told",
    });
    const { database, host } = await bed.loop.observeNow();
    expect(database.problem).toContain(`${bed.dataDirectory} has not answered since `);
    expect(host.filesystems.map(({ directory }) => directory)).not.toContain(bed.dataDirectory);
    await writeFile(bed.shared[0] ?? "", "work_mem = 10MB\n");
    await waitFor(() => bed.loop.facts()?.files.some((file) => file.hash === hash), {
      ...minute,
      what: "the other file",
    });
    await fault.heal();
  }
  await waitFor(() => bed.loop.facts()?.database.status === "running", {
    ...minute,
    what: "the database to be back",
  });
});

test("an agent that is started while the data directory answers nothing tells so, and tells of the database once it answers", async () => {
  await using bed = await startDriftBed();
  const { castellan, host, paths } = bed;
  const status = async (): Promise<string> =>
    (await castellan.cli(["status"])).stdout.replaceAll(/\s+/g, " ");
  await castellan.killAgent("srv127");
  {
    await using fault = await mountMute(host, paths.dataDir);
    await castellan.startAgent("srv127");
    await waitFor(
      async () => (await status()).includes(`${paths.dataDir} has not answered since `),
      {
        ...minute,
        what: "the silence in the status",
      },
    );
    const told = await waitFor(() => bed.alertOf(`node:srv127:${cause}`), {
      ...minute,
      what: "the alert",
    });
    expect(told).toMatchObject({ severity: "warning" });
    await fault.heal();
  }
  await waitFor(async () => (await status()).includes(" srv127 running primary "), {
    ...minute,
    what: "the database in the status",
  });
  await waitFor(
    async () => (await castellan.json<readonly unknown[]>(["alert", "list"])).length === 0,
    {
      ...minute,
      what: "the end of all alerts",
    },
  );
  expect((await bed.list()).files).toEqual([]);
});

/** Sessions of the server that wait for the same file system. */
async function hangingBackends(
  cluster: Awaited<ReturnType<typeof createCluster>>,
): Promise<number> {
  const rows = await cluster.sql(
    "srv127",
    "select pid from pg_stat_activity where query like '%pg_file_settings%' and pid <> pg_backend_pid() and state = 'active'",
  );
  return rows.length;
}

/** Threads of this process that wait for an answer of a FUSE server. */
async function blockedThreads(): Promise<number> {
  const threads = await readdir("/proc/self/task");
  const channels = await Promise.all(
    threads.map((thread) => readFile(`/proc/self/task/${thread}/wchan`, "utf8").catch(() => "")),
  );
  return channels.filter((channel) => /fuse|request_wait_answer/.test(channel)).length;
}
