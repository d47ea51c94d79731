import { expect, test } from "vitest";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { hasEndedWell, installVendorCron } from "#test/vendor-cron/install.ts";

const nodes = ["srv127", "srv129", "srv159"];

/** As cron starts it; gives what it added to its log. */
async function check(cluster: TestCluster, name: string): Promise<string> {
  const { host, paths } = cluster.node(name);
  const log = `${paths.root}/log/recovery.log`;
  const before = host.exists(log) ? await host.readFile(log) : "";
  const user = cluster.lane.osUser;
  await host.exec([`${paths.binDir}/network_rewind.sh`], { user, timeoutMs: 60_000 });
  return (await host.readFile(log)).slice(before.length);
}

async function startedAt(cluster: TestCluster, name: string): Promise<unknown> {
  return (await cluster.sql(name, "SELECT pg_postmaster_start_time()::text AS at"))[0]?.["at"];
}

async function streams(cluster: TestCluster, name: string, from: string): Promise<void> {
  await waitFor(
    async () => {
      const rows = await cluster.sql(from, "SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'", [name]); // prettier-ignore
      return rows.length === 1;
    },
    { timeoutMs: 30_000, what: `${name} to stream from ${from}` },
  );
}

async function rowsOf({ pools }: TestCluster): Promise<readonly Record<string, unknown>[]> {
  return (await pools?.show("srv127")) ?? [];
}

// What the guard is compared with has to do the vendor's harm: these are about test/vendor-cron, not about the guard.
test("S1: the vendor's check stops and rewinds a healthy standby after its host's reboot, S9: and one whose primary has changed", async () => {
  const lab = await testLab({
    hosts: nodes.map((name) => ({ name, address: `192.168.4.${name.slice(3)}` })),
  });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    // The names' PostgreSQL 10 has no program that rewinds.
    version: 15,
    nodes,
    pool: true,
    // The pool waits for the host that boots: its failover would cut a check off.
    poolSettings: { health_check_max_retries2: "60" },
  });
  await installVendorCron(cluster);
  const standby = cluster.node("srv159");

  await standby.host.powerOff();
  await standby.host.boot();
  await cluster.start("srv159");
  await streams(cluster, "srv159", "srv127");
  const booted = await startedAt(cluster, "srv159");
  const first = await check(cluster, "srv159");
  expect(first).toContain("NEED_CHANGE [1] (0 is need )");
  expect(first).toMatch(
    /rewind again, because last abnormal exit\n(.*\n)*server stopped\n(.*\n)*sys_rewind: no rewind required\n(.*\n)*server started\n/,
  );
  expect(await hasEndedWell(standby)).toBe(true);
  const rewound = await startedAt(cluster, "srv159");
  expect(rewound).not.toBe(booted);

  // With the flag of a good run the same standby is left alone.
  expect(await check(cluster, "srv159")).not.toContain("server stopped");
  expect(await startedAt(cluster, "srv159")).toBe(rewound);

  // Six looks ten seconds apart as it is shipped; only the pause is shortened here.
  const conf = `${standby.paths.root}/db/etc/HAmodule.conf`;
  const text = await standby.host.readFile(conf);
  expect(text).toContain("HEALTH_CHECK_RETRY_DELAY=10\n");
  await standby.host.writeFile(conf, text.replace("RETRY_DELAY=10", "RETRY_DELAY=1"), { owner: "kingbase" }); // prettier-ignore
  await cluster.stop("srv127", "immediate");
  await cluster.sql("srv129", "SELECT pg_promote()");
  await waitFor(async () => (await rowsOf(cluster)).some(({ role, hostname }) => role === "primary" && hostname === cluster.node("srv129").address), { timeoutMs: 40_000, what: "the pool to see the new primary" }); // prettier-ignore
  const led = await check(cluster, "srv159");
  expect(led).toMatch(/NEED_CHANGE \[0\](.*\n)*server stopped\n(.*\n)*server started\n/);
  await streams(cluster, "srv159", "srv129");
  expect(await startedAt(cluster, "srv159")).not.toBe(rewound);
});
