import { afterAll, beforeAll, expect, test } from "vitest";
import type { HostProcess } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import {
  createFaultScene,
  expectPause,
  inTheInstant,
  run,
  type FaultScene,
} from "../support/fault-scene.ts";
import { addArguments, stepOf } from "../support/operations.ts";

/** What people do to a run while it is under way: it stops with what to type, and goes on when it is mended. */
let scene: FaultScene;

beforeAll(async () => {
  scene = await createFaultScene({ product: "postgresql" });
}, 90_000);

afterAll(async () => {
  await scene?.[Symbol.asyncDispose]();
});

const add = (...more: string[]) => addArguments(scene.cluster, ...more);

test("six wrong hands in one run: each pauses it with what to type, and when it is mended the run goes on to its end", async () => {
  const { cluster, castellan } = scene;
  const { host, paths } = cluster.node("srv159");
  const owner = cluster.lane.osUser;
  const secret = (name: string, value: string) =>
    host.exec(
      [
        host.nodePath,
        `${host.projectPath}/dist/castellan-agent.js`,
        "secret",
        "set",
        name,
        "--config",
        "/etc/castellan/agent.yaml",
      ],
      { user: owner, input: value },
    );

  // Another's slot of that name, made between the look and the making.
  const taken = await inTheInstant(
    scene,
    { of: "srv127", point: "agent:checked:create-slot" },
    add(),
    () => cluster.sql("srv127", "SELECT pg_create_physical_replication_slot('slot_srv159')"),
  );
  expectPause(taken, "create-slot/srv127", [
    "ALREADY_EXISTS: slot slot_srv159 is there already, and Castellan did not make it",
    "next: If nothing needs it, drop it: SELECT pg_drop_replication_slot('slot_srv159')",
  ]);
  const resume = ["operation", "resume", taken.operation.id];
  await cluster.sql("srv127", "SELECT pg_drop_replication_slot('slot_srv159')");

  // The replication role's password is changed right before the copy.
  const role = cluster.lane.replicationUser;
  const changed = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:base-backup" },
    resume,
    () => cluster.sql("srv127", `ALTER ROLE ${role} PASSWORD 'rotated-today'`),
  );
  expectPause(changed, "base-backup/srv159", [
    `AUTHENTICATION_FAILED`,
    `password authentication failed for user "${role}"`,
    "castellan-agent secret set replication",
  ]);
  await secret("replication", "rotated-today");

  // Somebody puts his own data where the copy goes to.
  const filled = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:place-data-directory" },
    resume,
    async () => {
      await host.makeDirectory(paths.dataDir, { owner, mode: 0o700 });
      await host.writeFile(`${paths.dataDir}/precious`, "data", { owner });
    },
  );
  expectPause(filled, "place-data-directory/srv159", [
    `ALREADY_EXISTS: ${paths.dataDir} is not an empty directory of ours`,
    "| precious",
    "next: Nothing in it was touched. Move it away and resume.",
  ]);
  expect(await host.readFile(`${paths.dataDir}/precious`)).toBe("data");
  await host.exec(["mv", paths.dataDir, `${paths.dataDir}.mine`]);

  // A program takes the port.
  const listen = "require('net').createServer().listen(5432, '0.0.0.0', () => console.log('up'))";
  const listeners: HostProcess[] = [];
  const port = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:start-database" },
    resume,
    async () => {
      listeners.push(await host.spawn([host.nodePath, "-e", listen]));
      await waitFor(async () => (await host.exec(["ss", "-ltn"])).stdout.includes(":5432"));
    },
  );
  expectPause(port, "start-database/srv159", ["port 5432 is taken on this host", "ss -ltnp"]);
  for (const listener of listeners) {
    listener.kill("SIGKILL");
    await listener.exited;
  }

  // The stored password of the maintenance user is set wrong on the new host.
  const wrong = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:prove-streaming" },
    resume,
    () => secret("database", "not-the-password"),
  );
  expectPause(wrong, "prove-streaming/srv159", [
    "AUTHENTICATION_FAILED",
    "castellan-agent secret set database",
  ]);
  await secret("database", cluster.passwords.superuser);

  // The declaration is edited, and wrongly, before the node is written into it.
  const file = `${castellan.stateDirectory}/clusters/ESHA.yaml`;
  const own = { mode: 0o640, owner };
  const text = await castellan.coordinatorHost.readFile(file);
  await castellan.coordinatorHost.writeFile(file, `${text}nodes: [`, own);
  const broken = await run(scene, resume);
  expectPause(broken, "declare-node", ["CONFIG_INVALID", /ESHA\.yaml:\d+:\d+/]);
  const edited = `# Rack 7, ask Li before you restart anything\n${text}`;
  await castellan.coordinatorHost.writeFile(file, edited, own);

  const done = await run(scene, resume);
  expect(done.exitCode, done.said).toBe(0);
  expect(done.operation.state).toBe("succeeded");
  // It went on where it was: nothing that was done is done again.
  for (const kind of ["open-hba", "place-data-directory", "prove-streaming"]) {
    expect(stepOf(done.operation, kind).attempt, kind).toBeLessThanOrEqual(3);
  }
  const declared = await castellan.coordinatorHost.readFile(file);
  expect(declared.startsWith(edited.trimEnd())).toBe(true);
  expect(declared.slice(edited.length)).toMatch(/^ +- name: srv159\n/);
  expect(await cluster.sql("srv159", "SELECT count(*)::int AS n FROM ledger")).toEqual(
    await cluster.sql("srv127", "SELECT count(*)::int AS n FROM ledger"),
  );
  expect(await host.readFile(`${paths.dataDir}.mine/precious`)).toBe("data");
});
