import { expect, test } from "vitest";
import type { GuardAnswer, MaintenanceAnswer } from "#coordinator/api/guard-contract.ts";
import type { WhyAnswer } from "#coordinator/api/contract.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "coord", address: "192.168.4.10" },
];

const deadAlert = async (castellan: Castellan): Promise<AlertRecord | undefined> =>
  (await castellan.json<readonly AlertRecord[]>(["alert", "list"])).find(
    ({ cause }) => cause === "node:srv129:guard:database-dead",
  );
const modeOf = async (castellan: Castellan): Promise<string | undefined> =>
  (await castellan.json<GuardAnswer>(["guard", "status"])).clusters
    .flatMap(({ nodes }) => nodes)
    .find(({ node }) => node === "srv129")?.guard?.mode;
const why = (castellan: Castellan, ...more: readonly string[]): Promise<WhyAnswer> =>
  castellan.json<WhyAnswer>(["why", "srv129", ...more]);

test("in maintenance a death is recorded and muted; with the coordinator away it ends in time, and is told", async () => {
  const lab = await testLab({ hosts });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127", "srv129"],
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  await waitFor(async () => (await modeOf(castellan)) === "observe");

  const { nodes } = await castellan.json<MaintenanceAnswer>(
    ["guard", "maintenance", "srv129", "--for", "25s", "--note", "disks"], // prettier-ignore
  );
  expect(nodes).toMatchObject([{ guard: { mode: "maintenance", note: "disks" }, failure: null }]);
  // Perhaps while its agent looks at it for the first time.
  const { host, paths } = cluster.node("srv129");
  const [pid] = (await host.readFile(`${paths.dataDir}/postmaster.pid`)).split("\n");
  await host.exec(["kill", "-9", pid ?? ""]);
  const alert = await waitFor(() => deadAlert(castellan), { what: "the alert" });
  expect(alert).toMatchObject({ state: "open", isMuted: true });
  expect(alert.detail).toContain("during maintenance, until ");

  const told = await waitFor(async () => {
    const { moment } = await why(castellan);
    return moment?.decisions.some(({ rule }) => rule === "database-dead") === true ? moment : null;
  });
  expect(told).toMatchObject({
    decisions: [{ outcome: "held", steps: [{ do: "start-database" }] }],
    inputs: { database: { status: "stopped", hasStalePid: true } },
  });
  expect(await cluster.isRunning("srv129")).toBe(false);

  castellan.coordinator().kill("SIGKILL");
  await castellan.coordinator().exited;
  await waitFor(async () => (nodes[0]?.guard?.until ?? 0) < Date.now(), {
    timeoutMs: 40_000,
    what: "the end of the maintenance",
  });
  await castellan.startCoordinator();
  await waitFor(async () => (await modeOf(castellan)) === "observe", { timeoutMs: 20_000 });
  expect(await deadAlert(castellan)).toMatchObject({ state: "open", isMuted: false });
  // What was decided in between is still known, and what it was before nobody can tell.
  const then = new Date(told.decidedAt).toISOString();
  expect((await why(castellan, "--at", then)).moment).toMatchObject({ decidedAt: told.decidedAt });
  const tooEarly = await castellan.cli(["why", "srv129", "--at", "2001-01-01 00:00"], {
    reject: false,
  });
  expect([tooEarly.exitCode, tooEarly.stderr]).toEqual([
    8,
    expect.stringContaining("the oldest is of"),
  ]);
  const screen = (await castellan.cli(["why", "srv129", "--at", then])).stdout;
  expect(screen).toContain("database-dead fired");
  for (const line of screen.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});
