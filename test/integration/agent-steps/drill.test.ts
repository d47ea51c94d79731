import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StepContext } from "#agent/ports.ts";
import { processesIn } from "#agent/adapters/local-processes.ts";
import { fence } from "#agent/steps/fence.ts";
import { killPrimary } from "#agent/steps/kill-primary.ts";
import { killStandby } from "#agent/steps/kill-standby.ts";
import { runLoad } from "#agent/steps/run-load.ts";
import { stopPrimary } from "#agent/steps/stop-primary.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "#test/integration/agent-guard/guard-bed.ts";
import { runStep } from "./run-step.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];
const stallMs = 30_000;

describe.each(lanes)("%s", (_title, lane) => {
  let bed: GuardBed;
  beforeAll(async () => {
    bed = await createGuardBed(lane, 84 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  const agent = async (node: string): Promise<StepContext> => {
    const host = await bed.host(node);
    const asked = { operationId: "op-abcdefgh", stepId: "test", progress: () => undefined };
    return { ...host, ...asked, guardView: () => host.view };
  };
  const tables = async (): Promise<readonly unknown[]> =>
    bed.cluster.sql("srv127", "SELECT 1 FROM pg_tables WHERE tablename = 'castellan_drill_op_abcdefgh'"); // prettier-ignore
  const argsOf = (forMs: number) => {
    const { address: host, port } = bed.cluster.node("srv127");
    const { superuser: user, database } = bed.cluster.lane;
    return { pool: { host, port, user, database }, forMs };
  };

  test("a client tells what was acknowledged and who has it, and leaves no table", async () => {
    const { address, port } = bed.cluster.node("srv127");
    const told = await runStep(runLoad, argsOf(500), await agent("srv129"));
    expect(told).toMatchObject({ lost: 0, primary: `${address}:${port}` });
    expect(told.writes.answered).toBeGreaterThan(0);
    expect(told.reads.answered).toBeGreaterThan(0);
    expect(await tables()).toEqual([]);
  });

  test("the table of one that was cut off is dropped by its undo, and no other's", async () => {
    const host = await agent("srv129");
    const cut = new AbortController();
    const cutOff = runLoad.apply(argsOf(60_000), { ...host, signal: cut.signal });
    await waitFor(async () => (await tables()).length === 1);
    cut.abort(new Error("cut off"));
    await expect(cutOff).rejects.toThrow("cut off");
    await expect(runLoad.verify(argsOf(1), host)).rejects.toMatchObject({ code: "VERIFICATION_FAILED" }); // prettier-ignore
    const other = { ...host, operationId: "op-otherone" };
    expect((await runLoad.undo(argsOf(1), other)).lines).toEqual(["this operation made no table"]);
    expect((await tables()).length).toBe(1);
    await runLoad.undo(argsOf(1), host);
    expect(await tables()).toEqual([]);
  });

  test("a primary is not killed, and a standby is, once", async () => {
    await expect(runStep(killStandby, { stallMs }, await agent("srv127"))).rejects.toMatchObject({ code: "REFUSED" }); // prettier-ignore
    expect(await bed.cluster.isRunning("srv127")).toBe(true);
    const standby = await agent("srv129");
    const { dataDirectory } = standby.settings.paths;
    const killed = await runStep(killStandby, { stallMs }, standby);
    expect(killed).toMatchObject({ alreadyDone: false, lines: ["the server is stopped"] });
    expect(await processesIn(dataDirectory)).toEqual([]);
    expect(await killStandby.check({ stallMs }, standby)).toEqual(killed);
    // Where nobody reaps it, the killed one counts as alive for who stops the bed.
    await rm(`${dataDirectory}/postmaster.pid`);
  });

  test("a primary is stopped, once, and its undo opens it again", async () => {
    await expect(runStep(stopPrimary, { stallMs }, await agent("srv159"))).rejects.toMatchObject({ code: "REFUSED" }); // prettier-ignore
    const primary = await agent("srv127");
    const down = await runStep(stopPrimary, { stallMs }, primary);
    expect(down).toMatchObject({ lines: ["the primary is down"] });
    expect(await stopPrimary.check({ stallMs }, primary)).toEqual(down);
    // As a failover that came to nothing leaves it.
    await fence.apply({}, primary);
    const undone = await stopPrimary.undo({ stallMs }, primary);
    expect(undone.lines).toEqual(["it runs as the primary that it was"]);
    const [row] = await bed.cluster.sql("srv127", "SELECT pg_is_in_recovery() AS r");
    expect(row?.["r"]).toBe(false);
    const again = await stopPrimary.undo({ stallMs }, primary);
    expect(again.lines).toEqual(["this operation stopped no primary here"]);
  });

  test("a primary is killed with all its processes", async () => {
    const primary = await agent("srv127");
    const { dataDirectory } = primary.settings.paths;
    await runStep(killPrimary, { stallMs }, primary);
    expect(await processesIn(dataDirectory)).toEqual([]);
    await rm(`${dataDirectory}/postmaster.pid`);
  });
});
