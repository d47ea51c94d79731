import { afterAll, beforeAll, expect, test } from "vitest";
import { noMarks } from "#agent/decide/view.ts";
import { liftShield, putShield } from "#agent/guard/read-only-shield.ts";
import { openAsPrimary } from "#agent/guard/steps/open-as-primary.ts";
import { repoint } from "#agent/guard/steps/repoint.ts";
import { createGuardBed, type GuardBed } from "./guard-bed.ts";

let bed: GuardBed;
beforeAll(async () => {
  bed = await createGuardBed({ product: "postgresql" }, 70);
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});
const isInRecovery = async (node: string): Promise<unknown> =>
  (await bed.cluster.sql(node, "SELECT pg_is_in_recovery() AS r"))[0]?.["r"];
const inAutoConf = async (node: string): Promise<boolean> => {
  const { host, paths } = bed.cluster.node(node);
  const text = await host.readFile(`${paths.dataDir}/postgresql.auto.conf`);
  return text.includes("default_transaction_read_only");
};

test("it shields from every client, though the role of the guard reads only by a setting of its own", async () => {
  const { cluster } = bed;
  const role = cluster.lane.superuser;
  await cluster.sql("srv127", `ALTER ROLE ${role} SET default_transaction_read_only = on`);
  const host = await bed.host("srv127");
  await putShield(host);
  await cluster.sql("srv127", `SET transaction_read_only = off; ALTER ROLE ${role} RESET default_transaction_read_only`); // prettier-ignore
  expect(await inAutoConf("srv127")).toBe(true);
  await liftShield(host);
  expect(await inAutoConf("srv127")).toBe(false);
});

test("a standby that follows another primary after all is shielded no more", async () => {
  const { cluster } = bed;
  const { address: host, port } = cluster.node("srv129");
  const standby = await bed.host("srv159");
  await putShield(standby);
  await cluster.stop("srv127");
  await bed.promote("srv129");
  await repoint({ do: "repoint", node: "srv129", host, port }, standby);
  expect(await inAutoConf("srv159")).toBe(false);
  expect(standby.marks.shieldedAt).toBeNull();
});

test("what an agent that ended had opened is a standby again where somebody is not seen", async () => {
  const { cluster } = bed;
  await cluster.stop("srv159");
  const host = await bed.host("srv129");
  await host.mark({ restartingSince: Date.now() });
  await putShield(host);
  const marks = { ...noMarks, ...host.marks, wasPrimary: { at: 1, timeline: 2 }, fencedAt: 1 };
  const opened = openAsPrimary({ do: "open-as-primary" }, { ...host, view: { ...host.view, marks } }); // prettier-ignore
  await expect(opened).rejects.toThrow("the database of srv159: refused");
  expect(await isInRecovery("srv129")).toBe(true);
  expect(host.marks.shieldedAt).toBeNull();
});
