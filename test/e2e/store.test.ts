import { expect, test } from "vitest";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "./support/hosts.ts";
import {
  addArguments,
  newestOperation,
  stepOf,
  untilOperation,
  type Operation,
} from "./support/operations.ts";

type Shown = Operation & {
  readonly end: {
    readonly means: string;
    readonly choices: readonly { readonly command: string }[];
  };
};

test("an old journal commands nobody: what was under way in it is held, and nothing that was done since is undone", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
  });
  const coordinatorHost = lab.host("coord");
  await using castellan = await installCastellan(cluster, { coordinatorHost });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const user = cluster.lane.osUser;
  const state = castellan.stateDirectory;
  const folder = state.slice(0, state.lastIndexOf("/"));
  const root = (...argv: readonly string[]) => coordinatorHost.exec(argv);
  await coordinatorHost.makeDirectory(`${folder}/backups`, { owner: user, mode: 0o700 });
  const file = `${folder}/backups/middle`;

  const empty = `${folder}/backups/empty`;
  await castellan.cli(["store", "backup", empty]);

  // In the middle of the copy: a backup, and a copy of the whole state after a kill.
  const adding = await castellan.spawnCli(addArguments(cluster, "--max-rate", "8M"));
  const { id } = await waitFor(() => newestOperation(castellan), {
    timeoutMs: 60_000,
    what: "the operation to begin",
  });
  await untilOperation(castellan, id, (o) => stepOf(o, "base-backup").state === "started");
  const made = await castellan.cli(["store", "backup", file]);
  expect(made.stdout).toContain("It is secret");
  const { stdout: mode } = await root("stat", "-c", "%a %U", file);
  expect(mode.trim()).toBe(`600 ${user}`);
  expect((await castellan.cli(["store", "backup", file], { reject: false })).exitCode).toBe(7);
  const refused = await castellan.cli(["store", "restore", file], { reject: false });
  expect(refused.exitCode).toBe(7);
  expect(refused.stderr).toContain("is running on");
  await castellan.killCoordinator();
  await root("cp", "-a", state, `${folder}/original`);

  // The copy takes over and finishes the operation.
  await castellan.startCoordinator();
  await untilOperation(castellan, id, ({ state: now }) => now === "succeeded");
  await adding.exited;
  const node = await runningNode(cluster);
  await stop(castellan);
  await root("mv", state, `${folder}/copy`);
  await root("mv", `${folder}/original`, state);

  // The original comes back: every agent obeys it, and has told it of the other one before it could say a word.
  await castellan.startCoordinator();
  await castellan.connected(["srv127", "srv129", "srv159"]);
  const held = await castellan.json<Shown>(["operation", "show", id]);
  expect(held.state).toBe("paused");
  expect(held.failure?.message).toContain("has obeyed another coordinator");
  expect(held.steps.map((step) => step.state)).not.toContain("started");
  const { stdout: alerts } = await castellan.cli(["alert", "list"]);
  expect(alerts).toMatch(/critical.*has obeyed another coordinator/);
  const abort = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(abort.exitCode).toBe(7);
  expect(abort.stderr).toContain("--after-restore");
  expect(await runningNode(cluster)).toEqual(node);

  // It goes on by looking at each step, and finds everything done.
  const resumed = await castellan.cli(["operation", "resume", id], { reject: false });
  expect(resumed.exitCode, resumed.stdout + resumed.stderr).toBe(0);
  expect(await runningNode(cluster)).toEqual(node);

  // The same from a backup, and this time it is left.
  await stop(castellan);
  const restored = await castellan.cli(["store", "restore", file]);
  expect(restored.stdout).toContain(`castellan operation show ${id}`);
  await castellan.startCoordinator();
  await castellan.connected(["srv127", "srv129", "srv159"]);
  const { stdout: screen } = await castellan.cli(["operation", "show", id]);
  expect(screen).toContain("The journal was restored from a backup of");
  expect(screen).toContain(`castellan operation abort ${id} --leave`);
  await castellan.cli(["operation", "abort", id, "--leave"]);
  expect((await castellan.json<Shown>(["operation", "show", id])).state).toBe("rolled-back");
  expect(await runningNode(cluster)).toEqual(node);

  // A log that was cut is refused with a status of its own, by every command that looks, and mended by the backup.
  await castellan.killCoordinator();
  await root("truncate", "-s", "-1", `${state}/journal.db-wal`);
  const program = [coordinatorHost.nodePath, `${coordinatorHost.projectPath}/dist/castellan.js`];
  for (const words of [
    ["coordinator", "run"],
    ["store", "check"],
    ["store", "backup", `${file}2`],
  ]) {
    const said = await coordinatorHost.exec([...program, "--state-dir", state, ...words], {
      user,
      reject: false,
    });
    expect(said.exitCode, words.join(" ") + said.stdout + said.stderr).toBe(12);
    expect(said.stderr).toContain(`The journal ${state}/journal.db is corrupt.`);
    expect(said.stderr).toContain("castellan store restore");
  }
  await castellan.cli(["store", "restore", empty]);
  await castellan.startCoordinator();
  await castellan.connected(["srv127", "srv129", "srv159"]);
  const checked = await castellan.json<{ problems: readonly string[] }>(["store", "check"]);
  expect(checked.problems).toEqual([]);
  // This one has never heard of the operation; the agents tell what they made for it.
  expect(await castellan.json<readonly unknown[]>(["operation", "list"])).toEqual([]);
  await waitFor(
    async () => {
      const told = await castellan.cli(["alert", "list", "--json"]);
      return [`srv127 has worked for an operation`, id, "slot_srv159"].every((words) =>
        told.stdout.includes(words),
      );
    },
    { timeoutMs: 20_000, what: "an alert about work that the journal does not know" },
  );
});

/** The new node's server since its start, and what the cluster keeps for it. */
async function runningNode(cluster: TestCluster): Promise<unknown> {
  const started = "SELECT pg_postmaster_start_time()::text AS at, pg_is_in_recovery() AS standby";
  const slots = "SELECT slot_name::text AS name, active FROM pg_replication_slots ORDER BY 1";
  const streams =
    "SELECT application_name::text AS name, state FROM pg_stat_replication ORDER BY 1";
  return waitFor(
    async () => {
      const seen = {
        node: await cluster.sql("srv159", started),
        slots: await cluster.sql("srv127", slots),
        streams: await cluster.sql("srv127", streams),
      };
      return JSON.stringify(seen.streams).includes('"srv159","state":"streaming"') ? seen : null;
    },
    { timeoutMs: 20_000, what: "srv159 to stream" },
  );
}

async function stop(castellan: Castellan): Promise<void> {
  castellan.coordinator().kill("SIGTERM");
  await castellan.coordinator().exited;
}
