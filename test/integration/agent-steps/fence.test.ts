import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fence } from "#agent/steps/fence.ts";
import type { StepContext } from "#agent/ports.ts";
import { findPostmaster } from "#agent/steps/postmaster.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "#test/integration/agent-guard/guard-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

describe.each(lanes)("%s", (_title, lane) => {
  let bed: GuardBed;
  beforeAll(async () => {
    bed = await createGuardBed(lane, 44 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  const agent = async (node = "srv127"): Promise<StepContext> => {
    const host = await bed.host(node);
    const asked = { operationId: "op-abcdefgh", stepId: "test", progress: () => undefined };
    return { ...host, ...asked, guardView: () => host.view };
  };
  test("a primary that was killed is marked as a standby, and not before all of it has ended", async () => {
    await bed.cluster.sql("srv127", "ALTER SYSTEM SET synchronous_standby_names = '1 (srv129, srv159)'"); // prettier-ignore
    const context = await agent();
    await expect(fence.apply({}, context)).rejects.toThrow("a server is at work on");

    const server = await findPostmaster(context.settings.paths.dataDirectory, context);
    process.kill(server?.pid ?? Number.NaN, "SIGKILL");
    // Processes of it may live on for a moment.
    await waitFor(() => fence.apply({}, context).then(() => true, () => false), { what: "the end of its sessions" }); // prettier-ignore
    const told = await fence.verify({}, context);
    expect(told.synchronousStandbyNames).toBe("1 (srv129, srv159)");
    expect(context.guardMarks.current().fencedAt).not.toBeNull();
    // Told again, the answer is the same.
    await fence.apply({}, context);
    expect(await fence.verify({}, context)).toEqual(told);

    const marker = bed.cluster.lane.usesRecoveryConf ? "recovery.conf" : "standby.signal";
    const { dataDirectory } = context.settings.paths;
    expect(await context.files.stat(`${dataDirectory}/${marker}`)).not.toBeNull();
    // Where nobody reaps it, the killed one counts as alive for who stops the bed.
    await rm(`${dataDirectory}/postmaster.pid`);
  });

  test("a standby is no proof of anything", async () => {
    await bed.cluster.stop("srv129");
    await expect(fence.apply({}, await agent("srv129"))).rejects.toThrow("srv129 was a standby");
  });
});
