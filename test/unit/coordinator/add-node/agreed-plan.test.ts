import { expect, test } from "vitest";
import { Failure } from "#shared/errors.ts";
import { addNode } from "#coordinator/operations/add-node/request.ts";
import type { AddNodeRequest } from "#coordinator/api/contract.ts";
import { changeDatabase, changeFile, createWorld, type World } from "../world.ts";
import { createFakePorts, type FakePorts } from "../fake-ports.ts";

test("a plan that was shown and still is the same runs", async () => {
  const { world, ports } = createScene();
  const digest = await shownDigest(ports, world);
  expect(digest).toMatch(/^[0-9a-f]{16}$/);
  const { plan } = await run(ports, world, { plan: digest });
  expect(plan.digest).toBe(digest);
  expect(ports.started).toHaveLength(1);
});

test("figures that are measured anew each time don't make it another plan", async () => {
  const { world, ports } = createScene();
  const digest = await shownDigest(ports, world);
  changeDatabase(world, "srv127", {
    databases: [{ name: "app", bytes: 5_000_000_000, encoding: "UTF8", collate: "C" }],
  });
  await run(ports, world, { plan: digest });
  expect(ports.started).toHaveLength(1);
});

test("a file that a person edited since is refused with that edit and the new diff", async () => {
  const { world, ports } = createScene();
  const digest = await shownDigest(ports, world);
  changeFile(world, "srv127", "pg_hba.conf", (text) => `${text}host app dba 10.1.1.1/32 md5\n`);
  const failure = await failureOf(run(ports, world, { plan: digest }));
  expect(failure.code).toBe("PLAN_CHANGED");
  expect(failure.message).toContain(digest);
  const said = failure.evidence.join("\n");
  expect(said).toContain("pg_hba.conf was edited meanwhile:");
  expect(said).toContain("  +host app dba 10.1.1.1/32 md5");
  expect(said).toContain("Step open-hba/srv127 is now");
  expect(ports.started).toEqual([]);
  // The hint names the plan as it is now, and that one runs.
  const next = /--plan ([0-9a-f]{16})/.exec(failure.hint ?? "")?.[1] ?? "";
  await run(ports, world, { plan: next });
  expect(ports.started).toHaveLength(1);
});

test("an edit in what is never shown is refused without showing it", async () => {
  const { world, ports } = createScene();
  const digest = await shownDigest(ports, world);
  const facts = world.facts.get("srv127");
  const agent = world.agents.get("srv127");
  if (facts === undefined || agent === undefined) throw new Error("no srv127");
  const files = facts.files.map((file) =>
    file.path.endsWith("postgresql.conf") ? { ...file, hash: "e".repeat(64) } : file,
  );
  world.agents.set("srv127", { ...agent, facts: { ...facts, files } });
  const failure = await failureOf(run(ports, world, { plan: digest }));
  expect(failure.evidence.join("\n")).toMatch(/postgresql\.conf was edited meanwhile: in what is/);
});

test("another option, another answer of the cluster, another primary: another plan", async () => {
  const { world, ports } = createScene();
  const digest = await shownDigest(ports, world);
  const other = await failureOf(run(ports, world, { plan: digest, maxRateBytesPerSecond: 1e8 }));
  expect(other.evidence.join("\n")).toContain("Step base-backup/srv159 is now");
  for (const node of ["srv127", "srv129", "srv159"]) changeDatabase(world, node, { timeline: 2 });
  const failedOver = await failureOf(run(ports, world, { plan: digest }));
  expect(failedOver.evidence[0]).toBe(
    "The primary was srv127 (timeline 1); it is srv127 (timeline 2) now.",
  );
  expect(ports.started).toEqual([]);
});

test("another WAL budget is another plan; one that only follows the free space is not", async () => {
  const { world, ports } = createScene();
  const { plan } = await run(ports, world, { dryRun: true, walBudgetBytes: 10 * 1024 ** 3 });
  const digest = plan.digest ?? "";
  const failure = await failureOf(run(ports, world, { plan: digest }));
  expect(failure.evidence).toEqual([
    "Its slot was to hold back at most 10.0 GiB of WAL; now that is 64.0 GiB.",
  ]);
  expect(ports.started).toEqual([]);
  await run(ports, world, { plan: digest, walBudgetBytes: 10 * 1024 ** 3 });
  expect(ports.started).toHaveLength(1);
});

test("a digest that nobody knows any more is refused with the whole plan as it is now", async () => {
  const { world, ports } = createScene();
  const failure = await failureOf(run(ports, world, { plan: "0123456789abcdef" }));
  expect(failure.code).toBe("PLAN_CHANGED");
  expect(failure.evidence.join("\n")).toMatch(/is not known here any more[^]*declare-node/);
});

function createScene(): { readonly world: World; readonly ports: FakePorts } {
  const world = createWorld({ pool: true });
  return { world, ports: createFakePorts(world) };
}

function run(ports: FakePorts, world: World, request: Partial<AddNodeRequest>) {
  return addNode(ports, ports.start, "ESHA", { ...world.request, ...request });
}

async function shownDigest(ports: FakePorts, world: World): Promise<string> {
  const { plan } = await run(ports, world, { dryRun: true });
  return plan.digest ?? "";
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof Failure) return error;
  throw new Error(`expected a Failure, got ${String(error)}`);
}
