import { expect, test } from "vitest";
import type { DriftAnswer } from "#coordinator/api/drift-contract.ts";
import type { AlertRecord, OperationRecord } from "#coordinator/store/store.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { failoverBed } from "#test/e2e/support/failover-bed.ts";
import { writeNumbers } from "#test/e2e/support/numbered-writer.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

test.each(lanes)(
  "a node is copied anew in place while clients write, damaged or gone: %s",
  async (_title, lane) => {
    await using bed = await failoverBed(lane);
    const { cluster, castellan } = bed;
    const { host, paths } = cluster.node("srv129");
    const beside = `${paths.dataDir}.castellan-*`;
    const rebuild = () =>
      castellan.json<OperationRecord>(["node", "rebuild", cluster.name, "srv129", "--yes"]);
    const causes = async (): Promise<readonly string[]> =>
      (await castellan.json<readonly AlertRecord[]>(["alert", "list"])).map(({ cause }) => cause);
    const before = await causes();
    const accepted = await host.readFile(paths.configFile);
    const edited = `${accepted}work_mem = '5MB'\n`;
    await host.writeFile(paths.configFile, edited, { owner: cluster.lane.osUser, mode: 0o600 });
    const writer = await writeNumbers(cluster, "srv127", 5_000_000);

    // It runs and streams, and lacks what nobody may have looked at yet.
    await host.exec(["sh", "-c", `rm ${paths.dataDir}/base/1/2*`]);
    expect(await rebuild()).toMatchObject({ kind: "rebuild-node", state: "succeeded" });
    expect(await bed.upstreamOf("srv129")).toBe("srv127");
    expect((await cluster.sql("srv129", "SHOW work_mem"))[0]).toEqual({ work_mem: "5MB" });
    expect(await host.readFile(paths.configFile)).toBe(edited);
    const slots = await cluster.sql("srv129", "SELECT slot_name::text AS name, restart_lsn FROM pg_replication_slots ORDER BY 1"); // prettier-ignore
    expect(slots).toEqual([
      { name: "slot_srv127", restart_lsn: null },
      { name: "slot_srv159", restart_lsn: null },
    ]);

    // And nothing of it is left at all, nor its slot: its files come as they were accepted.
    await cluster.stop("srv129", "immediate");
    await waitFor(
      async () =>
        (await cluster.sql("srv127", "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'slot_srv129' AND NOT active")).length === 1, // prettier-ignore
      { what: "its slot to be dropped" },
    );
    await host.exec(["rm", "-r", paths.dataDir]);
    expect((await rebuild()).state).toBe("succeeded");
    expect(await bed.upstreamOf("srv129")).toBe("srv127");
    expect(await host.readFile(paths.configFile)).toBe(accepted);
    const { acknowledged } = await writer.stop();
    await waitFor(
      async () =>
        (await cluster.sql("srv129", "SELECT id FROM ledger WHERE id >= 5000000")).length ===
        acknowledged.length,
      { what: "every row on the rebuilt node" },
    );
    const left = await host.exec(["sh", "-c", `ls -d ${beside}`], { reject: false });
    expect(left.stdout).toBe("");
    await waitFor(
      async () =>
        (await castellan.json<DriftAnswer>(["drift", "list", cluster.name])).files.length === 0,
      { what: "every file to be as accepted" },
    );
    await waitFor(async () => (await causes()).every((cause) => before.includes(cause)), {
      timeoutMs: 30_000,
      what: "every alert of the rebuild to be over",
    });
  },
);
