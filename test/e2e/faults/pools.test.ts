import { createHash } from "node:crypto";
import { waitFor } from "#test/harness/wait-for.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inTheInstant } from "../support/instant.ts";
import { createScene, expectAsBefore, quickSettings, type Scene } from "../support/scene.ts";
import { expectPause, run } from "../support/under-way.ts";
import { followOther, promote, seenAs } from "../support/failover.ts";
import { addArguments, stepOf, untilWell } from "../support/operations.ts";
import { expectRefusal } from "../support/refusal.ts";

/** What happens to the pools while a node is registered with them. */
let scene: Scene;

beforeAll(async () => {
  scene = await createScene(
    { pool: true, poolSettings: { num_init_children: "8" } },
    { crashPoints: true, settings: quickSettings },
  );
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

const add = (...more: string[]) => addArguments(scene.cluster, ...more);
/** Before the registration, when nothing more than it is to be done. */
const beforeIt = { of: "srv159", point: "agent:checked:verify-data" } as const;

test("a row that a person appended is his, and pools that disagree about a row pause the run and refuse the next one", async () => {
  const { cluster, castellan } = scene;
  const before = await Promise.all(["srv127", "srv129"].map((node) => confOf(node)));
  const [first = "", second = ""] = before;
  const ours = rowLines(2, "192.168.4.159", cluster.node("srv159").paths.dataDir);
  const another = rowLines(2, "192.168.4.160", "/srv/other");
  const paused = await inTheInstant(scene, beforeIt, add(), async () => {
    await setConf("srv127", `${first}# added by hand\n${ours}`);
    await setConf("srv129", `${second}${another}`);
  });
  expectPause(paused, "append-backend/srv129", [
    /ALREADY_EXISTS: backend 2 (?:in .*|of the running pool) is 192\.168\.4\.160:5432/,
  ]);
  expect(stepOf(paused.operation, "append-backend", "srv127").state).toBe("done");
  const { id } = paused.operation;
  const aborted = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(aborted.exitCode, aborted.stdout).toBe(0);
  // What people wrote stands as they wrote it.
  expect(await confOf("srv127")).toBe(`${first}# added by hand\n${ours}`);
  expect(await confOf("srv129")).toBe(`${second}${another}`);
  await expectRefusal(cluster, castellan, { args: add(), exitCode: 3, says: ["(srv129)", "2"] });
  await setConf("srv127", first);
  await setConf("srv129", second);
  await expectAsBefore(scene, { loadedRow: scene.cluster.node("srv159") });
});

test("three wrong hands at the pools in one run: each pauses it with what to type, and when it is mended the run goes on", async () => {
  const { cluster, castellan } = scene;
  const conf = await confOf("srv129");
  // A setting that would attach the node at a moment of its own.
  const failback = await inTheInstant(scene, beforeIt, add(), () =>
    setConf("srv129", `${conf}auto_failback = on\n`),
  );
  expectPause(failback, "append-backend/srv129", [
    "REFUSED",
    "auto_failback = on",
    "Set auto_failback = off",
  ]);
  const resume = ["operation", "resume", failback.operation.id];
  await setConf("srv129", conf);

  // The pool's control password is changed.
  const pool = poolOf("srv129");
  const pcp = await pool.host.readFile(pool.pool.pcpFile);
  const own = { mode: 0o600, owner: cluster.lane.osUser };
  const rotated = createHash("md5").update("rotated-today").digest("hex");
  await pool.host.writeFile(pool.pool.pcpFile, pcp.replace(/:[0-9a-f]{32}/, `:${rotated}`), own);
  const locked = await run(scene, resume);
  expectPause(locked, "append-backend/srv129", [
    "AUTHENTICATION_FAILED",
    "castellan-agent secret set pcp",
  ]);
  const secret = (value: string) =>
    pool.host.exec(
      [
        pool.host.nodePath,
        `${pool.host.projectPath}/dist/castellan-agent.js`,
        ...["secret", "set", "pcp", "--config", "/etc/castellan/agent.yaml"],
      ],
      { user: cluster.lane.osUser, input: value },
    );
  await secret("rotated-today");

  // A pool goes down between the new row and its attach.
  const down = await inTheInstant(
    scene,
    { of: "srv129", point: "agent:ended:run:append-backend" },
    resume,
    () => cluster.pools?.stop("srv129") ?? Promise.resolve(),
  );
  expectPause(down, "attach-pool", ["POOL_UNREACHABLE", "Is the pool running"]);
  // Its starting reads the row from the file: a person's restart in the middle of a registration.
  await cluster.pools?.start("srv129");

  // Attached and proved by then: taken back it leaves nothing.
  const { id } = failback.operation;
  const going = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:join-regime" },
    resume,
    async () => {
      for (const name of ["srv127", "srv129"]) {
        const rows = await cluster.pools?.show(name);
        expect(
          rows?.map((row) => row["status"]),
          name,
        ).toEqual(["up", "up", "up"]);
      }
      await castellan.cli(["operation", "abort", id, "--detach"]);
    },
  );
  expect(going.operation.state, going.said).toBe("rolled-back");
  expect(stepOf(going.operation, "prove-backend", "srv129").attempt).toBeGreaterThan(0);
  await pool.host.writeFile(pool.pool.pcpFile, pcp, own);
  await secret(cluster.passwords.pcp);
  await expectAsBefore(scene, { loadedRow: scene.cluster.node("srv159") });
});

test("the primary fails over in the registration: nothing more is registered, and the node is added to the new primary", async () => {
  const { cluster, castellan } = scene;
  const paused = await inTheInstant(
    scene,
    { of: "srv127", point: "agent:checked:append-backend" },
    add(),
    async () => {
      await cluster.stop("srv127");
      // Pools look for the primary anew when they lose one.
      for (const name of ["srv127", "srv129"]) await seenDown(name, 0);
      await promote(scene, "srv129");
      await seenAs(scene, "srv129", "primary");
    },
  );
  expectPause(paused, "append-backend/srv127", [
    "REFUSED: srv129 is a primary now; the plan was made for the primary srv127 on timeline 1.",
    `castellan operation abort ${paused.operation.id}, then ask for it again`,
  ]);
  await followOther(scene, "srv127", "srv129");
  const aborted = await castellan.cli(["operation", "abort", paused.operation.id], {
    reject: false,
  });
  expect(aborted.exitCode, aborted.stdout).toBe(0);
  for (const name of ["srv127", "srv129"]) {
    expect(await confOf(name)).not.toContain("192.168.4.159");
    const { host, paths } = cluster.node(name);
    expect(await host.readFile(paths.hbaFile)).not.toMatch(/castellan|192\.168\.4\.159/);
    const slots = await cluster.sql(name, "SELECT slot_name::text AS n FROM pg_replication_slots");
    expect(slots.map(({ n }) => n)).not.toContain("slot_srv159");
  }
  expect(await cluster.isRunning("srv159")).toBe(false);

  const leader = (await cluster.pools?.vipHolder()) ?? "srv127";
  await cluster.pools?.pcp(leader, "pcp_attach_node", ["-n", "0"]);
  await untilWell(castellan, cluster);
  const added = await castellan.cli(add(), { reject: false });
  expect(added.exitCode, added.stdout + added.stderr).toBe(0);
  for (const name of ["srv127", "srv129"]) {
    const rows = await cluster.pools?.show(name);
    expect(
      rows?.map((row) => [row["status"], row["role"]]),
      name,
    ).toEqual([
      ["up", "standby"],
      ["up", "primary"],
      ["up", "standby"],
    ]);
  }
});

function seenDown(pool: string, backend: number): Promise<unknown> {
  return waitFor(
    async () => {
      const rows = await scene.cluster.pools?.show(pool).catch(() => []);
      return rows?.some((row) => row["node_id"] === String(backend) && row["status"] === "down");
    },
    { timeoutMs: 60_000, what: `the pool of ${pool} to put backend ${backend} down` },
  );
}

function poolOf(name: string) {
  const pool = scene.cluster.pools?.nodes.find((candidate) => candidate.name === name);
  if (pool === undefined) throw new Error(`no pool on ${name}`);
  return pool;
}

function confOf(name: string): Promise<string> {
  const { host, pool } = poolOf(name);
  return host.readFile(pool.configFile);
}

function setConf(name: string, text: string): Promise<void> {
  const { host, pool } = poolOf(name);
  const own = { mode: 0o600, owner: scene.cluster.lane.osUser };
  return host.writeFile(pool.configFile, text, own);
}

function rowLines(id: number, address: string, dataDir: string): string {
  const lines = [
    `backend_hostname${id} = '${address}'`,
    `backend_port${id} = 5432`,
    `backend_weight${id} = 1`,
    `backend_data_directory${id} = '${dataDir}'`,
    `backend_flag${id} = 'ALLOW_TO_FAILOVER'`,
  ];
  return `${lines.join("\n")}\n`;
}
