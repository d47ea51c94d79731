import { expect, test } from "vitest";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "coord", address: "192.168.4.10" },
];

test("an edited file is an alert with its diff within a second, and resolved when it is put back", async () => {
  const lab = await testLab({ hosts });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127", "srv129"],
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  const { host, paths } = cluster.node("srv129");
  const file = `${paths.root}/db/etc/HAmodule.conf`;
  const before = await host.readFile(file);
  await waitFor(async () => (await alerts(castellan)).every((a) => !a.cause.includes(file)), {
    timeoutMs: 5_000,
    what: "the first sight of the file to be accepted",
  });

  const password = /^KB_PASS="([^"]+)"/m.exec(before)?.[1] ?? "";
  expect(password).not.toBe("");
  await host.writeFile(file, before.replace("SYNC_FLAG=0", "SYNC_FLAG=1"), { owner: "kingbase" });
  const alert = await waitFor(
    async () => (await alerts(castellan)).find((a) => a.cause.includes(file) && a.state === "open"),
    { timeoutMs: 1_000, intervalMs: 20, what: "the alert about the edited file" },
  );
  expect(alert?.node).toBe("srv129");
  expect(alert?.detail).toContain("-SYNC_FLAG=0");
  expect(alert?.detail).toContain("+SYNC_FLAG=1");
  expect(alert?.detail).not.toContain(password);

  await host.writeFile(file, before, { owner: "kingbase" });
  await waitFor(async () => (await alerts(castellan)).every((a) => !a.cause.includes(file)), {
    timeoutMs: 5_000,
    what: "the alert to be resolved",
  });
});

test("the guard says what it would do about a dead database, and does nothing", async () => {
  const lab = await testLab({ hosts });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127", "srv129"],
    cronActive: true,
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  const { host, paths } = cluster.node("srv129");
  await waitFor(async () => (await why(castellan, "srv129")).includes("vendor-cron"), {
    timeoutMs: 10_000,
    what: "the finding about the vendor's active cron line",
  });

  const [pid] = (await host.readFile(`${paths.dataDir}/postmaster.pid`)).split("\n");
  await host.exec(["kill", "-9", pid ?? ""]);
  const dead = await waitFor(
    async () => (await alerts(castellan)).find((a) => a.cause.includes("database-dead")),
    { timeoutMs: 10_000, intervalMs: 50, what: "the alert about the dead database" },
  );
  expect(dead?.node).toBe("srv129");
  expect(dead?.detail).toContain("would");
  expect(await cluster.isRunning("srv129")).toBe(false);
});

type Alert = {
  readonly cause: string;
  readonly node: string | null;
  readonly state: string;
  readonly detail: string;
};

function alerts(castellan: Castellan): Promise<readonly Alert[]> {
  return castellan.json<readonly Alert[]>(["alert", "list"]);
}

async function why(castellan: Castellan, node: string): Promise<string> {
  return (await castellan.cli(["why", node])).stdout;
}
