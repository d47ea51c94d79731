import { afterAll, beforeAll, expect, test } from "vitest";
import type { HostProcess } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { inTheInstant, pastTheInstant } from "../support/instant.ts";
import { createScene, expectAsBefore, quickSettings, type Scene } from "../support/scene.ts";
import { expectPause, expectTakenBack, follow, run } from "../support/under-way.ts";
import {
  addArguments,
  backupProcess,
  newestOperation,
  stepOf,
  untilOperation,
} from "../support/operations.ts";
import { expectRefusal } from "../support/refusal.ts";

/** What people do to a run while it is under way: it stops with what to type, and goes on when it is mended. */
let scene: Scene;

beforeAll(async () => {
  scene = await createScene({}, { crashPoints: true, settings: quickSettings });
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

const add = (...more: string[]) => addArguments(scene.cluster, ...more);

/** Minutes of copying: whatever a test does meanwhile is done before the end, and none waits for it. */
const slowly = ["--max-rate", "300K"];

test("a file edited between the dry run and the run is refused with that edit and the new diff, until the plan is read again", async () => {
  const { cluster, castellan } = scene;
  const planned = await castellan.cli(add("--dry-run"));
  const digest = digestIn(planned.stdout);
  const hba = cluster.node("srv127");
  const text = await hba.host.readFile(hba.paths.hbaFile);
  const own = { mode: 0o600, owner: cluster.lane.osUser };
  await hba.host.writeFile(
    hba.paths.hbaFile,
    `${text}host app dba 10.1.1.1/32 md5 # Li, for the audit\n`,
    own,
  );
  await expectRefusal(cluster, castellan, {
    args: add("--plan", digest),
    exitCode: 18,
    says: [
      `The plan is not the one that was shown: that was ${digest}`,
      `srv127:${hba.paths.hbaFile} was edited meanwhile:`,
      "+host app dba 10.1.1.1/32 md5 # Li, for the audit",
      "Step open-hba/srv127 is now:",
      /next: .*--plan [0-9a-f]{16}/,
    ],
  });
  expect(await newestOperation(castellan)).toBe(null);
  // Read again it is what runs; here only as far as the next instant.
  const again = digestIn((await castellan.cli(add("--dry-run"))).stdout);
  expect(again).not.toBe(digest);
  await hba.host.writeFile(hba.paths.hbaFile, text, own);
  await expectRefusal(cluster, castellan, {
    args: add("--plan", again),
    exitCode: 18,
    says: ["-host app dba 10.1.1.1/32 md5"],
  });
  expect(digestIn((await castellan.cli(add("--dry-run"))).stdout)).toBe(digest);
});

test("edits of an hba file before and after our own survive the run and its undo byte for byte; two operators end it as one", async () => {
  const { cluster, castellan } = scene;
  const { host, paths } = cluster.node("srv127");
  const own = { mode: 0o600, owner: cluster.lane.osUser };
  const text = await host.readFile(paths.hbaFile);
  const digest = digestIn((await castellan.cli(add("--dry-run", ...slowly))).stdout);
  const first = await pastTheInstant(
    scene,
    { of: "srv127", point: "agent:checked:open-hba" },
    add("--plan", digest, ...slowly).filter((word) => word !== "--yes"),
    () => host.writeFile(paths.hbaFile, `${text}host app dba 10.1.1.1/32 md5\n`, own),
  );
  await waitFor(async () => backupProcess(cluster.node("srv159")), { timeoutMs: 30_000 });
  const id = (await newestOperation(castellan))?.id ?? "";
  const written = await host.readFile(paths.hbaFile);
  expect(written).toContain("host app dba 10.1.1.1/32 md5\n# castellan op-");
  await host.writeFile(paths.hbaFile, `# by hand\n${written}# the end\n`, own);

  // A second operator comes.
  const busy = `ESHA is held by add-node srv159 (${id}, running), started by`;
  for (const command of [
    add(),
    ["node", "add", "ESHA", "srv160", "--address", "192.168.4.160", "--yes"],
    ["operation", "resume", id],
  ]) {
    const second = await castellan.cli(command, { reject: false });
    expect(second.exitCode, second.stderr).toBe(7);
    expect(second.stderr).toContain(command[1] === "resume" ? `${id} is running` : busy);
  }
  // The first one's Ctrl-C ends his looking, not the operation.
  first.cli.kill("SIGINT");
  const interrupted = await first.ended();
  expect(interrupted.exitCode).toBe(130);
  expect(interrupted.said).toContain(`castellan operation watch ${id}`);
  expect(interrupted.operation).toMatchObject({ id, state: "running" });
  expect(await backupProcess(cluster.node("srv159"))).not.toBe("");

  // One looks on while two others abort it in the same moment.
  const watching = await follow(scene, ["operation", "watch", id]);
  const aborts = await Promise.all([
    castellan.cli(["operation", "abort", id], { reject: false }),
    castellan.cli(["operation", "abort", id], { reject: false }),
  ]);
  expect(aborts.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  for (const { stdout } of aborts) expect(stdout).toContain("is rolled-back");
  expect((await watching.ended()).exitCode).toBe(5);
  const late = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(late.exitCode).toBe(7);
  expect(late.stderr).toContain(`${id} is rolled-back`);

  expect(await host.readFile(paths.hbaFile)).toBe(
    `# by hand\n${text}host app dba 10.1.1.1/32 md5\n# the end\n`,
  );
  // His edit is his alone: it stays an open drift, and was never accepted along with ours.
  await waitFor(
    async () => {
      const alerts = await castellan.json<readonly { cause: string }[]>(["alert", "list"]);
      return alerts.some(({ cause }) => cause.includes("srv127") && cause.includes(paths.hbaFile));
    },
    { timeoutMs: 15_000, what: "an alert about the edited file" },
  );
  const { evidence } = stepOf(interrupted.operation, "open-hba", "srv127");
  expect(JSON.stringify(evidence)).toContain("edited by somebody after the plan was made");
  await host.writeFile(paths.hbaFile, text, own);
  await cluster.sql("srv127", "SELECT pg_reload_conf()");
  await expectAsBefore(scene);
});

test("a file saved by an editor in the very moment of our write loses nothing", async () => {
  const { cluster, castellan } = scene;
  const { host, paths } = cluster.node("srv127");
  const own = { mode: 0o600, owner: cluster.lane.osUser };
  const text = await host.readFile(paths.hbaFile);
  const edited = `${text}host app dba 10.1.1.1/32 md5\n`;
  const running = await pastTheInstant(
    scene,
    { of: "srv127", point: "file:written-beside:pg_hba.conf" },
    add(...slowly),
    () => host.writeFile(paths.hbaFile, edited, own),
  );
  await waitFor(async () => backupProcess(cluster.node("srv159")), { timeoutMs: 30_000 });
  expect((await host.readFile(paths.hbaFile)).startsWith(`${edited}# castellan op-`)).toBe(true);
  const id = (await newestOperation(castellan))?.id ?? "";
  await castellan.cli(["operation", "abort", id]);
  expect((await running.ended()).exitCode).toBe(5);
  expect(await host.readFile(paths.hbaFile)).toBe(edited);
  await host.writeFile(paths.hbaFile, text, own);
  await cluster.sql("srv127", "SELECT pg_reload_conf()");
  await expectAsBefore(scene);
});

test("the last replication slot taken between preflight and step pauses it; aborted, nothing is left", async () => {
  const { cluster } = scene;
  const spare = (n: number) => [`spare_${n}`];
  const many = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  const full = await inTheInstant(
    scene,
    { of: "srv127", point: "agent:checked:create-slot" },
    add(),
    async () => {
      const create = "SELECT pg_create_physical_replication_slot($1)";
      for (const n of many) await cluster.sql("srv127", create, spare(n));
    },
  );
  expectPause(full, "create-slot/srv127", [
    "RESOURCE_MISSING",
    "all replication slots are in use (SQLSTATE 53400)",
    "Drop one that nobody needs",
  ]);
  for (const n of many) {
    await cluster.sql("srv127", "SELECT pg_drop_replication_slot($1)", spare(n));
  }
  await expectTakenBack(scene, full.operation);
});

test("a verb taken out of a host's allow-list in the middle pauses it there; put back, the run goes on", async () => {
  const { cluster, castellan } = scene;
  const { host } = cluster.node("srv159");
  const file = "/etc/castellan/agent.yaml";
  const yaml = await host.readFile(file);
  expect(yaml).toMatch(/base-backup/);
  const restart = async (text: string): Promise<void> => {
    await host.writeFile(file, text, { mode: 0o644 });
    await castellan.killAgent("srv159");
    await castellan.startAgent("srv159");
    await castellan.connected(["srv159"]);
  };
  const refused = await inTheInstant(
    scene,
    { of: "srv127", point: "agent:checked:create-slot" },
    add(...slowly),
    () => restart(yaml.replace(/^.*\bbase-backup\b.*\n/m, "")),
  );
  expectPause(refused, "base-backup/srv159", [
    "REFUSED: base-backup is not among allow.verbs of this host",
    "add base-backup to allow.verbs in agent.yaml and restart the agent",
  ]);
  await restart(yaml);
  const { id } = refused.operation;
  const going = await follow(scene, ["operation", "resume", id]);
  await waitFor(async () => backupProcess(cluster.node("srv159")), { timeoutMs: 30_000 });
  await untilOperation(castellan, id, ({ state }) => state === "running");
  await expectTakenBack(scene, refused.operation);
  expect((await going.ended()).exitCode).toBe(5);
});

test("eight wrong hands in one run: each pauses it with what to type, and when it is mended the run goes on to its end", async () => {
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
    "If nothing needs it, drop it: SELECT pg_drop_replication_slot('slot_srv159')",
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
    "precious",
    "Nothing in it was touched. Move it away.",
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
      // And the role's password is changed once more, after the node's files were written.
      await cluster.sql("srv127", `ALTER ROLE ${role} PASSWORD 'rotated-again'`);
    },
  );
  expectPause(port, "start-database/srv159", ["port 5432 is taken on this host", "ss -ltnp"]);
  for (const listener of listeners) {
    listener.kill("SIGKILL");
    await listener.exited;
  }

  const rotated = await run(scene, resume);
  expectPause(rotated, "prove-streaming/srv159", [
    "AUTHENTICATION_FAILED: srv127 does not take the replication password that this node's files were written with",
    `password authentication failed for user "${role}"`,
    "Give the role that password back",
  ]);
  await cluster.sql("srv127", `ALTER ROLE ${role} PASSWORD 'rotated-today'`);

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

  // And saved by an editor in the very moment of our write.
  const saved = `${edited}# the end\n`;
  const done = await inTheInstant(scene, { of: null, point: "file:written-beside" }, resume, () =>
    castellan.coordinatorHost.writeFile(file, saved, own),
  );
  expect(done.exitCode, done.said).toBe(0);
  expect(done.operation.state).toBe("succeeded");
  // It went on where it was: nothing that was done is done again.
  for (const kind of ["open-hba", "place-data-directory", "prove-streaming"]) {
    expect(stepOf(done.operation, kind).attempt, kind).toBeLessThanOrEqual(3);
  }
  const declared = await castellan.coordinatorHost.readFile(file);
  const [entry = ""] = /^ +- name: srv159\n(?: {3,}.*\n)*/m.exec(declared) ?? [];
  expect(entry).toContain("address: 192.168.4.159");
  expect(declared.replace(entry, "")).toBe(saved);
  expect(await cluster.sql("srv159", "SELECT count(*)::int AS n FROM ledger")).toEqual(
    await cluster.sql("srv127", "SELECT count(*)::int AS n FROM ledger"),
  );
  expect(await host.readFile(`${paths.dataDir}.mine/precious`)).toBe("data");
});

/** Of the plan that a dry run printed. */
function digestIn(printed: string): string {
  return /^Plan ([0-9a-f]{16})$/m.exec(printed)?.[1] ?? "";
}
