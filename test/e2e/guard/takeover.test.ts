import { expect, test } from "vitest";
import type { GuardAnswer } from "#coordinator/api/guard-contract.ts";
import type { AlertRecord, OperationRecord } from "#coordinator/store/store.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const cronFile = "/etc/cron.d/KINGBASECRON";
const nodes = ["srv127", "srv129"];

async function filesOf(cluster: TestCluster): Promise<readonly string[]> {
  return Promise.all(nodes.map((name) => cluster.node(name).host.readFile(cronFile)));
}

async function modes(castellan: Castellan): Promise<readonly (string | undefined)[]> {
  const { clusters } = await castellan.json<GuardAnswer>(["guard", "status"]);
  return clusters.flatMap((cluster) => cluster.nodes.map(({ guard }) => guard?.mode));
}

async function alertOf(castellan: Castellan, rule: string): Promise<AlertRecord | undefined> {
  const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list"]);
  return alerts.find(({ cause }) => cause === `node:srv129:guard:${rule}`);
}

/** Lines of the vendor's that cron would run, of all nodes together. */
const activeIn = (files: readonly string[]): number =>
  files.join("").match(/^\*.*(network_rewind|restartcluster)\.sh/gm)?.length ?? 0;

test("taken over on all nodes or on none, whoever is killed or still at work, and handed back byte for byte", async () => {
  const lab = await testLab({
    hosts: [...nodes.map((name, i) => ({ name, address: `192.168.4.${127 + 2 * i}` })), { name: "coord", address: "192.168.4.10" }], // prettier-ignore
  });
  await using cluster = await createCluster(lab, { product: "kingbase-v8r3", nodes, pool: true });
  await using castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    crashPoints: true,
  });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const { host, paths } = cluster.node("srv129");
  for (const name of nodes) {
    const there = cluster.node(name).host;
    const text = (await there.readFile(cronFile)).replaceAll(/^#+(\*)/gm, "$1");
    await there.writeFile(cronFile, `# ours, kept\n${text}`, { mode: 0o644 });
  }
  const before = await filesOf(cluster);
  expect(activeIn(before)).toBe(4);
  await waitFor(async () => (await modes(castellan)).every((mode) => mode === "observe"));

  const dry = await castellan.cli(["guard", "takeover", "ESHA", "--dry-run"]);
  expect(dry.stdout).toContain("network_rewind.sh");
  expect(await filesOf(cluster)).toEqual(before);

  // The coordinator dies when one node is done and nothing is known of the other; after its start the operation goes on.
  await castellan.killCoordinator();
  await castellan.startCoordinator({ CASTELLAN_CRASH_AT: "runner:step-done:take-over-cron" });
  await waitFor(async () => (await modes(castellan)).every((mode) => mode === "observe"));
  await castellan.cli(["guard", "takeover", "ESHA", "--yes"], { reject: false });
  await castellan.coordinator().exited;
  await castellan.startCoordinator();
  await waitFor(async () => (await modes(castellan)).every((mode) => mode === "enforce"), {
    timeoutMs: 40_000,
    what: "the takeover to go on",
  });
  expect(activeIn(await filesOf(cluster))).toBe(0);
  const again = await castellan.cli(["guard", "takeover", "ESHA", "--yes"], { reject: false });
  expect([again.exitCode !== 0, again.stderr]).toEqual([true, expect.stringContaining("ESHA is taken over already")]); // prettier-ignore

  // A person's start of the vendor's cluster enables the lines again: an alert, and the guard there holds still.
  const taken = await host.readFile(cronFile);
  await host.writeFile(cronFile, taken.replaceAll(/^#+(\*)/gm, "$1"), { mode: 0o644 });
  const back = await waitFor(() => alertOf(castellan, "vendor-check-back"), { what: "the alert" });
  expect(back).toMatchObject({ severity: "critical", state: "open" });
  await host.writeFile(cronFile, taken, { mode: 0o644 });
  await waitFor(async () => (await alertOf(castellan, "vendor-check-back")) === undefined);

  const { stdout } = await castellan.cli(["guard", "handback", "ESHA", "--yes"]);
  expect(stdout).toContain("The guards of ESHA only observe");
  expect(await filesOf(cluster)).toEqual(before);
  expect(await modes(castellan)).toEqual(["observe", "observe"]);

  // A script of the vendor's that runs (a stand-in of its name that sleeps) is waited for; an abort gives all lines back.
  const script = `${paths.binDir}/network_rewind.sh`;
  await host.writeFile(script, "#!/bin/sh\nsleep 300\n", { mode: 0o755 });
  const running = await host.spawn([script]);
  const taking = castellan.cli(["guard", "takeover", "ESHA", "--yes"], { reject: false });
  const operation = await waitFor(async () => {
    const operations = await castellan.json<readonly OperationRecord[]>(["operation", "list"]);
    const newest = operations[0];
    return newest?.kind === "guard-takeover" && newest.state === "running" ? newest : null;
  });
  await waitFor(async () => activeIn(await filesOf(cluster)) === 0, { what: "the lines" });
  expect(await modes(castellan)).toEqual(["observe", "observe"]);
  await castellan.cli(["operation", "abort", operation.id]);
  expect((await taking).exitCode).not.toBe(0);
  await waitFor(async () => activeIn(await filesOf(cluster)) === 4, {
    what: "the lines to be back",
  });
  expect(await filesOf(cluster)).toEqual(before);
  running.kill("SIGKILL");
});
