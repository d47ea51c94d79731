import { afterAll, beforeAll, expect, test } from "vitest";
import { rejoin } from "#agent/guard/steps/rejoin.ts";
import { startDatabase } from "#agent/guard/steps/start-database.ts";
import { offerRebuild } from "#agent/guard/steps/offer-rebuild.ts";
import { createGuardBed, type GuardBed } from "./guard-bed.ts";

/** KingbaseES' names on PostgreSQL 10, for which no rewind program can be had. */
let bed: GuardBed;
beforeAll(async () => {
  bed = await createGuardBed({ product: "kingbase-v8r3" }, 34);
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});
const toSrv129 = () => {
  const { address: host, port } = bed.cluster.node("srv129");
  return { do: "rejoin" as const, node: "srv129", host, port };
};

test("an old primary that was stopped cleanly follows its successor without a rewind", async () => {
  const { cluster } = bed;
  await cluster.stop("srv127");
  await bed.promote("srv129");
  const host = await bed.host("srv127");
  expect(await rejoin(toSrv129(), host)).toContain("nothing to rewind");
  expect(await bed.upstreamOf("srv127")).toBe("streams from srv129");
  const { host: machine, paths, address } = cluster.node("srv127");
  for (const path of [`${paths.dataDir}/recovery.conf`, `${paths.root}/db/etc/recovery.done`]) {
    const text = await machine.readFile(path);
    expect(text).toContain(`host=${cluster.node("srv129").address} `);
    expect(text).toContain("application_name=srv127");
    expect(text).not.toContain(address);
  }
});

test("one that crashed with WAL of its own recovers alone, and a rebuild is offered where there is no rewind", async () => {
  const { cluster } = bed;
  await cluster.stop("srv127");
  await cluster.sql("srv129", "INSERT INTO ledger VALUES (1, 'on nobody else')");
  await cluster.stop("srv129", "immediate");
  await cluster.start("srv127");
  await bed.promote("srv127");
  const { address, port } = cluster.node("srv127");
  const host = await bed.host("srv129");
  const step = { do: "rejoin" as const, node: "srv127", host: address, port };
  // The agent was killed in the middle of such a recovery before.
  const place = cluster.node("srv129");
  const marker = `${place.paths.dataDir}/recovery.conf`;
  const own = "standby_mode = 'on'\nprimary_slot_name = 'of_the_site'\n";
  await place.host.writeFile(`${marker}.castellan`, own, { owner: cluster.lane.osUser });

  await expect(rejoin(step, host)).rejects.toThrow("can't be rewound: there is no ");
  expect(place.host.exists(`${marker}.castellan`)).toBe(false);
  expect(await place.host.readFile(marker)).toBe(own);
  expect(host.marks.needsRebuild?.because).toContain("sys_rewind");
  const { host: machine, paths } = cluster.node("srv129");
  const control = await machine.exec([`${paths.binDir}/sys_controldata`, "-D", paths.dataDir]);
  expect(control.stdout).toMatch(/cluster state:\s+shut down$/m);
  expect(await machine.readFile(`${paths.dataDir}/recovery.conf`)).toContain("standby_mode = 'on'");
  expect(await cluster.isRunning("srv129")).toBe(false);
  const kept = `${host.settings.stateDirectory}/diverged-wal`;
  const { stdout } = await machine.exec(["find", kept, "-type", "f"], { reject: false });
  expect(stdout).toMatch(/\/[0-9A-F]{24}$/m);
});

test("a recovery.conf that recovers to a point in time is no standby's: nothing is started with it", async () => {
  const { cluster } = bed;
  await cluster.stop("srv159");
  const { host: machine, paths } = cluster.node("srv159");
  const conf = `${paths.dataDir}/recovery.conf`;
  const text = await machine.readFile(conf);
  await machine.writeFile(
    conf,
    "restore_command = '/bin/false'\nrecovery_target_time = '2026-11-22'\n",
  );
  const host = await bed.host("srv159");
  await expect(startDatabase({ do: "start-database" }, host)).rejects.toThrow("it would open as a primary"); // prettier-ignore
  expect(await cluster.isRunning("srv159")).toBe(false);
  await machine.writeFile(conf, text);
  await startDatabase({ do: "start-database" }, host);
});

test("what a rule found to be past a rewind is marked with its reason", async () => {
  const host = await bed.host("srv159");
  await offerRebuild({ do: "offer-rebuild", because: "the site rewinds nothing" }, host);
  expect(host.marks.needsRebuild).toMatchObject({ because: "the site rewinds nothing" });
});
