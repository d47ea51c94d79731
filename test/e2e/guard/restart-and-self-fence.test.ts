import { expect, test } from "vitest";
import { failoverBed, type FailoverBed } from "#test/e2e/support/failover-bed.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { waitFor } from "#test/harness/wait-for.ts";

async function killDatabase(bed: FailoverBed, node: string): Promise<void> {
  await bed.cluster.node(node).host.exec(["kill", "-9", await bed.postmaster(node)]);
}

/** Settings of srv127's guard, in force when it answers. */
async function set(
  { cluster, castellan }: FailoverBed,
  edits: readonly (readonly [RegExp, string])[],
): Promise<void> {
  const { host } = cluster.node("srv127");
  const file = "/etc/castellan/agent.yaml";
  let text = await host.readFile(file);
  for (const [from, to] of edits) {
    expect(text).toMatch(from);
    text = text.replace(from, to);
  }
  await castellan.killAgent("srv127");
  await host.writeFile(file, text, { mode: 0o644 });
  await castellan.startAgent("srv127");
}

test("a dead standby is started again and a dead primary is not; only an armed primary that is cut off from everybody stops itself", async () => {
  await using bed = await failoverBed({ product: "postgresql" });
  const { cluster, castellan } = bed;
  const { host } = cluster.node("srv127");
  const alertOf = async (cause: string) =>
    (await castellan.json<readonly AlertRecord[]>(["alert", "list"])).find((one) => one.cause === cause); // prettier-ignore

  const before = await bed.postmaster("srv159");
  await killDatabase(bed, "srv159");
  await bed.decided("srv159", "database-dead", "done");
  expect(await bed.postmaster("srv159")).not.toBe(before);
  await bed.follows("srv159", "srv127");

  // Nobody has this address: a gateway that is silent.
  await set(bed, [
    [/armed: false/, "armed: true"],
    [/afterMs: 30000/, "afterMs: 5000"],
    [/trustAddresses: \[\]/, "trustAddresses: [192.168.4.250]"],
    [/trust: .*/, 'trust: "*/5 * * * * *"'],
  ]);
  const primary = await bed.postmaster("srv127");
  await waitFor(async () => alertOf("node:srv127:check:trust"), {
    timeoutMs: 40_000,
    what: "the silent gateway to be told",
  });
  expect(await bed.postmaster("srv127")).toBe(primary);

  await set(bed, [[/armed: true/, "armed: false"]]);
  await castellan.connected(["srv127"]);
  await host.cutLink();
  const told = await bed.decided("srv127", "isolated-primary", "would");
  // The first look without a majority: what a node's agent said last may count for it yet.
  expect(told.evidence).toMatch(/^[12] of 4 voters: itself/);
  expect(await bed.postmaster("srv127")).toBe(primary);
  await set(bed, [[/armed: false/, "armed: true"]]);
  await bed.decided("srv127", "isolated-primary", "done");
  expect(await cluster.isRunning("srv127")).toBe(false);
  await host.healLink();

  // Somebody may have been promoted meanwhile: it is a standby until all others are seen.
  await cluster.start("srv127");
  await bed.decided("srv127", "fenced-primary", "done");
  await castellan.connected(["srv127"]);
  await killDatabase(bed, "srv127");
  await waitFor(async () => alertOf("node:srv127:guard:database-dead"), { timeoutMs: 20_000 });
  await killDatabase(bed, "srv159");
  await waitFor(async () => cluster.isRunning("srv159"), { timeoutMs: 20_000 });
  expect(await cluster.isRunning("srv127")).toBe(false);
});
