import { expect, test } from "vitest";
import { Failure } from "#shared/errors.ts";
import { addNode, preflightAddNode } from "#coordinator/operations/add-node/request.ts";
import { changeDatabase, createWorld } from "../world.ts";
import { agentAway, createFakePorts, operationRecord } from "../fake-ports.ts";

test("adding a node asks, plans and starts one operation", async () => {
  const world = createWorld({ pool: true });
  const ports = createFakePorts(world);
  const answer = await addNode(ports, ports.start, "ESHA", world.request);
  expect(ports.started).toHaveLength(1);
  expect(ports.started[0]).toMatchObject({
    kind: "add-node",
    cluster: "ESHA",
    subject: "srv159",
    requestedBy: "dba@console",
    onFailure: "pause",
  });
  expect(answer.operation?.id).toBe("op-12345678");
  expect(answer.plan.checks.length).toBeGreaterThan(30);
  expect(answer.plan.declarationHash).toBe("0".repeat(64));
});

test("a dry run gives the same plan and starts nothing, even while another operation runs", async () => {
  const world = createWorld();
  const ports = createFakePorts(world);
  const real = await addNode(ports, ports.start, "ESHA", world.request);
  const [running] = ports.started.splice(0);
  ports.leaseHolder = running === undefined ? null : operationRecord(running);
  const dry = await addNode(ports, ports.start, "ESHA", { ...world.request, dryRun: true });
  expect(ports.started).toEqual([]);
  expect(dry).toEqual({ plan: real.plan, operation: null });
});

test("a second operation is refused before anything is asked, naming the first and who started it", async () => {
  const world = createWorld();
  const ports = createFakePorts(world);
  await addNode(ports, ports.start, "ESHA", world.request);
  const [running] = ports.started;
  ports.leaseHolder = running === undefined ? null : operationRecord(running);
  ports.asked.length = 0;
  const failure = await failureOf(addNode(ports, ports.start, "ESHA", world.request));
  expect(failure.code).toBe("OPERATION_CONFLICT");
  expect(failure.message).toMatch(/op-12345678.*dba@console/);
  expect(ports.asked).toEqual([]);
});

test("a failed check stops everything and stands in the evidence", async () => {
  const world = createWorld();
  changeDatabase(world, "srv129", { timeline: 9 });
  const ports = createFakePorts(world);
  const failure = await failureOf(addNode(ports, ports.start, "ESHA", world.request));
  expect(failure.code).toBe("PREFLIGHT_FAILED");
  expect(failure.evidence.join("\n")).toMatch(/^timeline \(srv129\): found 9; wanted 1\./);
  expect(ports.started).toEqual([]);
});

test("a forecast that doesn't fit is refused with its own code", async () => {
  const world = createWorld();
  const ports = createFakePorts(world);
  ports.answer = (_, kind) =>
    kind === "measure-wal-rate" ? { bytesPerSecond: 1024 ** 3 } : undefined;
  const failure = await failureOf(addNode(ports, ports.start, "ESHA", world.request));
  expect(failure.code).toBe("FORECAST_REFUSED");
  expect(failure.message).toContain("never catch up");
});

test("WAL that is written for a moment is measured again for longer before it refuses a copy", async () => {
  const world = createWorld();
  const ports = createFakePorts(world);
  const rates = [1024 ** 3, 1024];
  ports.answer = (_, kind) =>
    kind === "measure-wal-rate" ? { bytesPerSecond: rates.shift() } : undefined;
  await addNode(ports, ports.start, "ESHA", world.request);
  expect(ports.started).toHaveLength(1);
  expect(rates).toEqual([]);
});

test("an agent that is away is a failed check, not an error of its own", async () => {
  const world = createWorld();
  agentAway(world, "srv129");
  const ports = createFakePorts(world);
  const { checks } = await preflightAddNode(ports, "ESHA", world.request);
  const failed = checks
    .filter(({ status }) => status === "fail")
    .map(({ id, node }) => `${id} ${node ?? ""}`);
  expect(failed).toContain("agent-connected srv129");
  expect(ports.asked.filter(({ node }) => node === "srv129")).toEqual([]);
});

test("a host that refuses a question is a finding, and the others are still asked", async () => {
  const world = createWorld();
  const ports = createFakePorts(world);
  ports.answer = (_, kind) =>
    kind === "probe-target"
      ? new Failure("REFUSED", "probe-target is not allowed here")
      : undefined;
  const { checks } = await preflightAddNode(ports, "ESHA", world.request);
  expect(checks.find(({ id }) => id === "questions-answered")?.found).toContain(
    "probe-target is not allowed here",
  );
  expect(new Set(ports.asked.map(({ kind }) => kind))).toContain("measure-wal-rate");
});

test("the bandwidth is measured by a standby while the new host can't log in, in a short and a sized sample", async () => {
  const world = createWorld();
  const ports = createFakePorts(world);
  const { checks } = await preflightAddNode(ports, "ESHA", world.request);
  const samples = ports.asked.filter(({ kind }) => kind === "measure-throughput");
  expect(samples.map(({ node }) => node)).toEqual(["srv159", "srv129", "srv129"]);
  expect(samples.at(-1)?.args).toMatchObject({ bytes: 15 * 1024 ** 2 });
  expect(checks.find(({ id }) => id === "bandwidth")).toMatchObject({
    status: "pass",
    found: "100 MiB/s, measured from srv129",
  });
});

test("an unknown cluster is NOT_FOUND", async () => {
  const world = createWorld();
  const ports = createFakePorts(world);
  expect((await failureOf(addNode(ports, ports.start, "NONE", world.request))).code).toBe(
    "NOT_FOUND",
  );
});

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof Failure) return error;
  throw new Error(`expected a Failure, got ${String(error)}`);
}
