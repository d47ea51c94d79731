import { expect, test } from "vitest";
import { guardBed, type GuardBed } from "#test/e2e/support/guard-bed.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import { mountDisk, type TestDisk } from "#test/harness/faults/disk.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const address = "192.168.4.220/24";
const limit = { timeoutMs: 60_000 };

async function ownDisk(cluster: TestCluster, node: string): Promise<TestDisk> {
  const { host, paths } = cluster.node(node);
  await cluster.stop(node);
  const disk = await mountDisk(host, paths.dataDir, { sizeMb: 600, owner: cluster.lane.osUser });
  await cluster.start(node);
  return disk;
}

async function hasAddress({ cluster }: GuardBed): Promise<boolean> {
  const { stdout } = await cluster.node("srv127").host.exec(["ip", "-4", "-o", "addr", "show"]);
  return stdout.includes(` ${address} `);
}

async function postmaster({ cluster }: GuardBed): Promise<string> {
  const { host, paths } = cluster.node("srv127");
  return (await host.readFile(paths.pidFile)).split("\n")[0] ?? "";
}

test("a primary whose disk stands still is told of, and stopped only where that is set and a standby can take over; a short stall of a standby's is nothing", async () => {
  const disks: TestDisk[] = [];
  {
    await using bed = await guardBed(
      { product: "kingbase-v8r3", nodes: ["srv127", "srv129"], synchronous: true },
      {
        prepare: async (cluster) => {
          for (const node of ["srv127", "srv129"]) disks.push(await ownDisk(cluster, node));
        },
      },
    );
    const [ofPrimary, ofStandby] = disks;
    if (ofPrimary === undefined || ofStandby === undefined) throw new Error("two disks");
    const { cluster } = bed;
    const often = [/disk: ".*"/, 'disk: "* * * * * *"'] as const;
    await bed.set("srv129", [often]);
    await bed.set("srv127", [often, [/timeoutMs: 10000/, "timeoutMs: 2000"]]);
    await waitFor(() => hasAddress(bed), { ...limit, what: `${address} on the primary` });

    // Within the canary's limit of the standby, and a look at it every two seconds.
    const before = await postmaster(bed);
    {
      await using stall = await ofStandby.freeze();
      const commit = cluster.sql("srv127", "INSERT INTO ledger VALUES (1, 'waits')");
      const waiting =
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND clock_timestamp() - query_start > interval '3 s'";
      await waitFor(async () => (await cluster.sql("srv127", waiting)).length > 0, limit);
      await stall.heal();
      await commit;
    }
    expect(await acted(bed, "srv129")).toEqual([]);
    expect(await acted(bed, "srv127")).toEqual(["vip-missing-on-primary"]);

    {
      await using _frozen = await ofPrimary.freeze();
      const told = await bed.untilAlert("node:srv127:guard:disk-failed");
      expect(told).toMatchObject({ severity: "critical" });
      expect(await postmaster(bed)).toBe(before);
      expect(await hasAddress(bed)).toBe(true);

      await bed.set("srv127", [[/stopOnDiskFailure: false/, "stopOnDiskFailure: true"]]);
      await waitFor(async () => !(await hasAddress(bed)), { ...limit, what: "the address to be off" }); // prettier-ignore
      await waitFor(
        async () => (await cluster.sql("srv127", "SELECT 1").catch(() => [])).length === 0,
        { ...limit, what: "the primary to give no session" },
      );
    }
    const done = await bed.decided("srv127", "disk-failed", "done");
    expect(done.steps).toEqual([{ do: "drop-vip" }, { do: "stop-database", mode: "fast" }]);
    expect(await cluster.isRunning("srv127")).toBe(false);
    expect(await hasAddress(bed)).toBe(false);
    expect(await cluster.isRunning("srv129")).toBe(true);
  }
  for (const disk of disks) await disk[Symbol.asyncDispose]();
});

/** Rules whose steps were begun. */
async function acted(bed: GuardBed, node: string): Promise<readonly string[]> {
  const made = await bed.decisions(node);
  return [...new Set(made.filter(({ outcome }) => outcome === "begun").map(({ rule }) => rule))];
}
