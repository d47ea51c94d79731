import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdir, rm } from "node:fs/promises";
import { execa } from "execa";
import { expect, test } from "vitest";
import { diskCheck } from "#agent/checks/disk-check.ts";
import type { CheckResult } from "#agent/checks/check.ts";
import { AgentSettings } from "#agent/settings.ts";
import { createLoop } from "#agent/loop.ts";
import type { HostEvent } from "#agent/host-event.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import {
  clusterNodeSettings,
  createNodePorts,
  ownHosts,
} from "#test/integration/agent-observe/node-ports.ts";
import { noSelfFence } from "#test/unit/agent/no-self-fence.ts";

const canary = "pgsql_tmp.castellan-canary";

/** A database, and beside it a small ext4 filesystem that can be frozen, filled and broken. */
async function startBed(timeoutMs = 1_000) {
  const lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  const cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  const image = `${lab.folder}/disk.img`;
  const disk = `${lab.folder}/disk`;
  await execa("truncate", ["-s", "16M", image]);
  await execa("mkfs.ext4", ["-q", "-F", "-m", "0", image]);
  await mkdir(disk);
  await execa("mount", ["-o", "loop,errors=remount-ro", image, disk]);
  const usual = clusterNodeSettings(cluster, "srv127");
  const guard = AgentSettings.shape.guard.parse({
    ...usual.guard,
    schedules: { ...usual.guard.schedules, disk: "* * * * * *" },
    disk: { directories: [disk, cluster.node("srv127").paths.dataDir], timeoutMs },
  });
  const node = await createNodePorts({
    settings: { ...usual, guard },
    databasePassword: cluster.passwords.superuser,
  });
  return {
    cluster,
    disk,
    node,
    [Symbol.asyncDispose]: async () => {
      await node[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await waitFor(async () => (await execa("umount", [disk], { reject: false })).exitCode === 0, {
        what: "the disk to be let go",
      });
      await lab[Symbol.asyncDispose]();
    },
  };
}

type Bed = Awaited<ReturnType<typeof startBed>>;

function startLoop({ node }: Bed) {
  const events: HostEvent[] = [];
  let looks = 0;
  const loop = createLoop({
    ports: node.ports,
    expected: node.expected,
    startedAt: 1,
    onFacts: () => (looks += 1),
    onHostEvent: (event) => events.push(event),
    selfFence: noSelfFence,
  });
  return {
    loop,
    looks: () => looks,
    about: () => events.filter(({ cause }) => cause === "check:disk"),
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}

/** Processes that wait for a disk with our canary in their hands. */
function hanging(): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const isOurs = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(canary);
      return isOurs && /^State:\s+D/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return false;
    }
  });
}

test("a disk that stands still is told within its limit, the agent looks on, one canary hangs, and all ends by itself", async () => {
  await using bed = await startBed();
  await execa("fsfreeze", ["-f", bed.disk]);
  try {
    await using agent = startLoop(bed);
    const told = await waitFor(() => agent.about()[0], { timeoutMs: 30_000 });
    expect(told.severity).toBe("critical");
    expect(told.summary).toMatch(
      new RegExp(`check disk: ${bed.disk}: a write hangs for \\d+ s, and not even SIGKILL ends it`),
    );
    expect(told.summary).not.toContain(bed.cluster.node("srv127").paths.dataDir);
    // Many schedules later it is the same one, and a look is as it always is.
    const [pid] = hanging();
    const looks = agent.looks();
    const ranAt = lastRun(agent.loop);
    await waitFor(() => (lastRun(agent.loop) ?? 0) > (ranAt ?? 0) + 3_000, { timeoutMs: 60_000 });
    expect(hanging()).toEqual([pid]);
    expect(agent.looks()).toBeGreaterThan(looks);
    // The next agent finds the canary of this one still hanging, and starts none beside it.
    await agent[Symbol.asyncDispose]();
    await using next = startLoop(bed);
    await waitFor(
      () => resultOf(next.loop)?.includes("the write of an earlier check still hangs"),
      {
        timeoutMs: 30_000,
      },
    );
    expect(hanging()).toEqual([pid]);
    await execa("fsfreeze", ["-u", bed.disk]);
    await waitFor(() => next.about().some(({ kind }) => kind === "guard-cleared"), {
      timeoutMs: 30_000,
    });
    await waitFor(() => hanging().length === 0, { what: "the canary to be gone" });
  } finally {
    await execa("fsfreeze", ["-u", bed.disk], { reject: false });
  }
});

function lastRun(loop: { facts(): { guard: { checks: readonly Run[] } } | null }): number | null {
  return loop.facts()?.guard.checks.find(({ name }) => name === "disk")?.lastRunAt ?? null;
}

function resultOf(loop: { facts(): { guard: { checks: readonly Run[] } } | null }): string | null {
  return loop.facts()?.guard.checks.find(({ name }) => name === "disk")?.lastResult ?? null;
}

type Run = {
  readonly name: string;
  readonly lastRunAt: number | null;
  readonly lastResult: string | null;
};

test("a full, a read-only and a forbidden disk are told as what they are; a sound one keeps nothing", async () => {
  await using bed = await startBed(20_000);
  const { disk } = bed;
  const { settings, home } = bed.node.ports;
  const database = { ...(await lookAt(bed)) };
  const run = (directories: readonly string[]): Promise<CheckResult> => {
    const guard = {
      ...settings.guard,
      disk: { ...settings.guard.disk, directories: [...directories] },
    };
    const check = diskCheck({ settings: { ...settings, guard }, home }, () => database);
    return check.run(new AbortController().signal);
  };
  // What a killed canary left goes with the next one.
  writeFileSync(`${disk}/${canary}`, "half a bl");
  expect(await run([disk])).toEqual({ severity: null, text: `written, synced and read: ${disk}` });
  expect(existsSync(`${disk}/${canary}`)).toBe(false);

  await execa("dd", ["if=/dev/zero", `of=${disk}/ballast`, "bs=4k"], { reject: false });
  expect((await run([disk])).text).toContain("No space left on device");
  expect(readdirSync(disk)).not.toContain(canary);
  await rm(`${disk}/ballast`);

  await execa("mount", ["-o", "remount,ro", disk]);
  const broken = await run([disk, settings.paths.dataDirectory]);
  expect(broken.severity).toBe("critical");
  expect(broken.text).toContain("Read-only file system");
  expect(broken.text).not.toContain(settings.paths.dataDirectory);
  await execa("mount", ["-o", "remount,rw", disk]);

  await chmod(disk, 0o755);
  const { text } = await run([`${disk}/not-there`]);
  expect(text).toContain("No such file or directory");
  expect((await run([`${settings.paths.dataDirectory}/pg_wal`])).text).toContain("holds WAL");
  expect(readdirSync(`${settings.paths.dataDirectory}/pg_wal`)).not.toContain(canary);
});

test("where no whole data directory is, nothing is written into its place", async () => {
  await using bed = await startBed();
  const database = { ...(await lookAt(bed)), hasIncompleteMarker: true };
  const check = diskCheck(bed.node.ports, () => database);
  expect(await check.run(new AbortController().signal)).toEqual({
    severity: null,
    text: "no whole data directory to write to",
  });
});

async function lookAt(bed: Bed) {
  await using agent = startLoop(bed);
  return (await agent.loop.observeNow()).database;
}
