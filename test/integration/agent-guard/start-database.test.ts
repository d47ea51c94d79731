import { afterAll, beforeAll, expect, test } from "vitest";
import { noMarks } from "#agent/decide/view.ts";
import { putShield } from "#agent/guard/read-only-shield.ts";
import { startDatabase } from "#agent/guard/steps/start-database.ts";
import { writeStandbyMarker } from "#agent/guard/steps/write-standby-marker.ts";
import { stopServer } from "#agent/steps/server-stop.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import { asFailure } from "#shared/errors.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "./guard-bed.ts";

let bed: GuardBed;
beforeAll(async () => {
  bed = await createGuardBed({ product: "postgresql" }, 54);
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

const step = { do: "start-database" } as const;

test("a standby that died is started in a session of its own, and streams again", async () => {
  const { cluster } = bed;
  await cluster.stop("srv129", "immediate");
  const host = await bed.host("srv129");
  expect(await startDatabase(step, host)).toBe("it answers as a standby");
  expect(await startDatabase(step, host)).toBe("it answers as a standby");
  await waitFor(async () => (await bed.upstreamOf("srv129")) === "streams from srv127");
  const { host: machine, paths } = cluster.node("srv129");
  const [pid] = (await machine.readFile(paths.pidFile)).split("\n");
  const { stdout } = await machine.exec(["ps", "-o", "ppid=,sid=", "-p", pid ?? ""]);
  expect(stdout.trim().split(/\s+/)).not.toContain(String(process.pid));
});

test("what has no standby marker, or is an unfinished copy, is not started", async () => {
  const { cluster } = bed;
  const { host: machine, paths } = cluster.node("srv129");
  await cluster.stop("srv129");
  await machine.writeFile(`${paths.dataDir}/${incompleteMarker}`, "");
  const host = await bed.host("srv129");
  await expect(startDatabase(step, host)).rejects.toThrow("is an unfinished copy");
  await machine.exec(["rm", `${paths.dataDir}/${incompleteMarker}`]);
  await machine.exec(["mv", `${paths.dataDir}/standby.signal`, `${paths.dataDir}/aside`]);
  await expect(startDatabase(step, host)).rejects.toThrow("it would open as a primary");
  await machine.exec(["mv", `${paths.dataDir}/aside`, `${paths.dataDir}/standby.signal`]);
  expect(await cluster.isRunning("srv129")).toBe(false);
});

test("one that does not come up says why, with the last lines of its log", async () => {
  const { host: machine, paths } = bed.cluster.node("srv129");
  const conf = await machine.readFile(paths.configFile);
  await machine.writeFile(paths.configFile, `${conf}\nshared_buffers = 'many'\n`);
  const failure = asFailure(await startDatabase(step, await bed.host("srv129")).catch((error: unknown) => error)); // prettier-ignore
  expect(failure.message).toContain("the server did not start");
  expect(failure.evidence.join("\n")).toContain("shared_buffers");
  await machine.writeFile(paths.configFile, conf);
  await startDatabase(step, await bed.host("srv129"));
});

test("a former primary whose opening was cut off comes up as a standby, without the shield", async () => {
  const { cluster } = bed;
  const host = await bed.host("srv127");
  await putShield(host);
  await cluster.stop("srv127");
  await host.mark({ ...noMarks, fencedAt: 1, restartingSince: 2, shieldedAt: 3 });
  await writeStandbyMarker({ do: "write-standby-marker" }, host);
  await startDatabase(step, host);
  const [row] = await cluster.sql("srv127", "SELECT pg_is_in_recovery() AS r");
  expect(row).toEqual({ r: true });
  await waitFor(async () => {
    const [shield] = await cluster.sql("srv127", "SHOW default_transaction_read_only");
    return Object.values(shield ?? {})[0] === "off";
  });
  expect(host.marks).toMatchObject({ restartingSince: null, shieldedAt: null });
});

test("one that somebody started by hand is stopped, too, where a unit is to start and stop it", async () => {
  const host = await bed.host("srv159");
  const start = { mode: "unit", unit: "castellan-test-not-there.service" } as const;
  const { dataDirectory } = host.settings.paths;
  await stopServer({ dataDirectory, stallMs: 2_000 }, { ...host, settings: { ...host.settings, start } }); // prettier-ignore
  expect(await bed.cluster.isRunning("srv159")).toBe(false);
});

test("what opens as a primary for all its marker is stopped, and is a standby's again", async () => {
  const { cluster } = bed;
  const host = await bed.host("srv159");
  const { host: machine, paths } = cluster.node("srv159");
  // As a failover script of the site's leaves it behind.
  await machine.writeFile(`${paths.root}/promote-it`, "");
  const auto = `${paths.dataDir}/postgresql.auto.conf`;
  const text = await machine.readFile(auto);
  await machine.writeFile(auto, `${text}promote_trigger_file = '${paths.root}/promote-it'\n`);
  await expect(startDatabase(step, host)).rejects.toThrow("is no standby");
  expect(await cluster.isRunning("srv159")).toBe(false);
  expect(machine.exists(`${paths.dataDir}/standby.signal`)).toBe(true);
});
