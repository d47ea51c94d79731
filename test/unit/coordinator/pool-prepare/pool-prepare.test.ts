import { expect, test } from "vitest";
import { poolPrepare } from "#coordinator/operations/pool-prepare/request.ts";
import { changePool, createWorld, loadRow, writeRow } from "../world.ts";
import { createFakePorts } from "../fake-ports.ts";

const request = {
  node: "srv159",
  address: "192.168.4.159",
  port: null,
  dataDirectory: null,
  dryRun: false,
  plan: null,
  requestedBy: "dba@console",
};

test("every pool gets the same row, and nothing is attached", async () => {
  const ports = createFakePorts(createWorld({ pool: true }));
  const { plan, operation } = await poolPrepare(ports, ports.start, "ESHA", request);
  expect(operation?.kind).toBe("pool-prepare");
  expect(plan.steps.map(({ id }) => id)).toEqual([
    "append-backend/srv127",
    "append-backend/srv129",
  ]);
  for (const step of plan.steps) {
    expect(step.args).toMatchObject({
      row: { id: 2, hostname: "192.168.4.159", port: 5432, weight: 1 },
    });
  }
  expect(ports.asked).toEqual([]);
});

test("a row that every pool runs with leaves nothing to do", async () => {
  const world = createWorld({ pool: true });
  const row = { id: 2, hostname: request.address };
  for (const node of ["srv127", "srv129"]) {
    loadRow(world, node, row);
    writeRow(world, node, row);
  }
  const ports = createFakePorts(world);
  const { plan } = await poolPrepare(ports, ports.start, "ESHA", { ...request, dryRun: true });
  expect(plan.steps).toEqual([]);
  expect(plan.notes[0]).toContain("nothing is to be done");
});

test("a pool that does not run, a taken name and a cluster without a pool are refused", async () => {
  const world = createWorld({ pool: true });
  changePool(world, "srv129", { status: "stopped" });
  const ports = createFakePorts(world);
  await expect(poolPrepare(ports, ports.start, "ESHA", request)).rejects.toMatchObject({
    code: "PREFLIGHT_FAILED",
    evidence: [expect.stringContaining("pool-running (srv129)")],
  });
  const taken = createFakePorts(createWorld({ pool: true }));
  await expect(
    poolPrepare(taken, taken.start, "ESHA", {
      ...request,
      node: "srv129",
      address: "192.168.4.129",
    }),
  ).rejects.toMatchObject({ code: "PREFLIGHT_FAILED" });
  const bare = createFakePorts(createWorld());
  await expect(poolPrepare(bare, bare.start, "ESHA", request)).rejects.toMatchObject({
    code: "USAGE",
  });
});
