import { afterAll, beforeAll, expect, test } from "vitest";
import { inTheInstant } from "../support/instant.ts";
import { createScene, expectAsBefore, quickSettings, type Scene } from "../support/scene.ts";
import { expectPause } from "../support/under-way.ts";
import { addArguments, stepOf } from "../support/operations.ts";
import { secretSpellings, secretsIn } from "../support/secrets.ts";

/** What people do to the files and settings that only KingbaseES has, and to a synchronous list. */
let scene: Scene;

beforeAll(async () => {
  scene = await createScene(
    {
      product: "kingbase-v8r3",
      pool: true,
      synchronous: true,
      poolSettings: { num_init_children: "8" },
    },
    { crashPoints: true, settings: quickSettings },
  );
}, 120_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

test("a file that a person puts where ours would go, edited lists and a changed synchronous list: nothing of theirs is lost", async () => {
  const { cluster, castellan } = scene;
  const owner = cluster.lane.osUser;
  const own = { mode: 0o600, owner };
  // No ssh between the hosts of the test bed.
  const add = addArguments(cluster, "--accept-not-promotable");
  const newNode = cluster.node("srv159");
  const etc = `${newNode.paths.root}/db/etc`;
  const file = `${etc}/HAmodule.conf`;
  const theirs = `KB_PASS="${Buffer.from(cluster.passwords.superuser).toString("base64")}"\nPING_TIMES="9"\n`;
  const refused = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:write-node-files" },
    add,
    async () => {
      await newNode.host.makeDirectory(etc, { owner });
      await newNode.host.writeFile(file, theirs, own);
    },
  );
  expectPause(refused, "write-node-files/srv159", [
    `OPERATION_CONFLICT: ${file} was changed after the plan was made: planned against no file, found sha256`,
    '-PING_TIMES="9"',
    `Move ${file} away, and it is made anew`,
  ]);
  expect(secretsIn(secretSpellings(cluster), refused.said)).toEqual([]);
  expect(await newNode.host.readFile(file)).toBe(theirs);
  await newNode.host.exec(["mv", file, `${file}.mine`]);
  const resume = ["operation", "resume", refused.operation.id];

  // Right before the lists are extended, a person saves the file with an edit of his own.
  const { host, paths } = cluster.node("srv127");
  const lists = `${paths.root}/db/etc/HAmodule.conf`;
  const text = await host.readFile(lists);
  const edited = `# Li: see ticket 4711\n${text.replace('PING_TIMES="3"', 'PING_TIMES="5"')}`;
  expect(edited).toContain('PING_TIMES="5"');
  const kept = await inTheInstant(
    scene,
    { of: "srv127", point: "agent:checked:register-ha-lists" },
    resume,
    async () => {
      await host.writeFile(lists, edited, own);
      await cluster.sql("srv127", "ALTER SYSTEM SET synchronous_standby_names = '*'");
      await cluster.sql("srv127", "SELECT sys_reload_conf()");
    },
  );
  expectPause(kept, "set-synchronous-list/srv127", [
    "OPERATION_CONFLICT: synchronous_standby_names is '*', not '1 (srv127, srv129)'",
    "Set it back to '1 (srv127, srv129)'; or abort",
  ]);
  const { evidence } = stepOf(kept.operation, "register-ha-lists", "srv127");
  expect(JSON.stringify(evidence)).toContain("edited by somebody after the plan was made");
  const both = await host.readFile(lists);
  expect(both).toMatch(/^# Li: see ticket 4711\n/);
  expect(both).toContain("ALL_NODE_NAME=(srv127 srv129 srv159)");

  await cluster.sql("srv127", "ALTER SYSTEM RESET synchronous_standby_names");
  await cluster.sql("srv127", "SELECT sys_reload_conf()");
  const { id } = refused.operation;
  const going = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:join-regime" },
    resume,
    () => castellan.cli(["operation", "abort", id, "--detach"]),
  );
  expect(going.operation.state, going.said).toBe("rolled-back");
  expect(await host.readFile(lists)).toBe(edited);
  expect(await newNode.host.readFile(`${file}.mine`)).toBe(theirs);
  await host.writeFile(lists, text, own);
  await newNode.host.exec(["rm", "-r", etc]);
  await expectAsBefore(scene, { loadedRow: scene.cluster.node("srv159") });
});
