import { expect, test } from "vitest";
import { forecastCopy } from "#coordinator/operations/add-node/forecast.ts";
import { printBytes, printSeconds } from "#coordinator/operations/add-node/print-units.ts";
import { slotBudgetBytes } from "#shared/domain/slot-budget.ts";
import { directories, target } from "../preflight/cases/edits.ts";
import {
  change,
  changeDatabase,
  changeSettings,
  createWorld,
  situationOf,
  type World,
} from "../world.ts";

const gibibyte = 1024 ** 3;

function measured(world: World, bytesPerSecond: number, walBytesPerSecond: number): World {
  const before = world.probe;
  world.probe = (probes) => ({
    ...before(probes),
    throughput: { answer: { bytesPerSecond }, problem: null },
    walRate: { answer: { bytesPerSecond: walBytesPerSecond }, problem: null },
  });
  return world;
}

test("time is the size by the bandwidth, and the slot holds what is written meanwhile", () => {
  const world = measured(createWorld(), 100 * 1024 ** 2, 1024 ** 2);
  const forecast = forecastCopy(situationOf(world));
  expect(forecast).toMatchObject({
    bytesToCopy: 2 * gibibyte + 32 * 1024 ** 2,
    bytesPerSecond: 100 * 1024 ** 2,
    secondsToCopy: 21,
    secondsToWait: 0,
    slotBytes: 16 * 1024 ** 2 + 51 * 1024 ** 2,
    walBudgetBytes: 64 * gibibyte,
    refusals: [],
  });
});

test("a rate limit counts when it is below the bandwidth", () => {
  const situation = situationOf(createWorld(), { maxRateBytesPerSecond: 10 * 1024 ** 2 });
  expect(forecastCopy(situation)?.bytesPerSecond).toBe(10 * 1024 ** 2);
});

test("more WAL than bandwidth is refused: the copy would never catch up", () => {
  const world = measured(createWorld(), 10 * 1024 ** 2, 20 * 1024 ** 2);
  expect(forecastCopy(situationOf(world))?.refusals.join()).toMatch(
    /20\.0 MiB\/s of WAL.*10\.0 MiB\/s: it would never catch up/,
  );
});

test("a slot beyond its budget is refused with both figures", () => {
  const world = measured(createWorld(), 20 * 1024 ** 2, 10 * 1024 ** 2);
  change(world, "srv127", (facts) => ({
    ...facts,
    host: {
      ...facts.host,
      filesystems: facts.host.filesystems.map((row) => ({ ...row, freeBytes: gibibyte })),
    },
  }));
  expect(forecastCopy(situationOf(world))?.refusals.join()).toMatch(
    /hold back 1\.3 GiB .* srv127 can spare 512 MiB/,
  );
});

test("a target that is too small is refused with what it would need", () => {
  const world = createWorld();
  directories({ freeBytes: gibibyte })(world);
  expect(forecastCopy(situationOf(world))?.refusals.join()).toMatch(/srv159 has 1\.0 GiB free/);
});

test("a tablespace on a filesystem of its own needs room there, not in the data directory", () => {
  const world = createWorld();
  changeDatabase(world, "srv127", {
    databases: [{ name: "app", bytes: 10 * gibibyte, encoding: "UTF8", collate: "C" }],
    tablespaces: [{ oid: 1, name: "ts", location: "/srv/ts", bytes: 9 * gibibyte }],
  });
  target((answer) => ({
    ...answer,
    directories: answer.directories.map((d) => ({
      ...d,
      freeBytes: d.path === "/srv/ts" ? 5 * gibibyte : 2 * gibibyte,
    })),
  }))(world);
  expect(forecastCopy(situationOf(world))?.refusals).toEqual([
    "srv159 has 5.0 GiB free at /srv/ts; the tablespace needs 9.0 GiB.",
  ]);
});

test("a copy from a standby may wait for its next restartpoint", () => {
  const world = createWorld();
  changeSettings(world, "srv129", { checkpoint_timeout: "120" });
  const forecast = forecastCopy(situationOf(world, { source: "srv129" }));
  expect(forecast).toMatchObject({ secondsToWait: 120, secondsToCopy: 141 });
});

test("without a measured bandwidth a stated one is taken", () => {
  const world = createWorld();
  world.probe = (probes) => ({ ...probes, throughput: { answer: null, problem: "no login" } });
  expect(forecastCopy(situationOf(world))?.bytesPerSecond).toBe(50 * 1024 ** 2);
});

test("the budget of a slot is the smallest of setting, share of free space and the server's own limit", () => {
  const input = { settingBytes: 100, walFreeBytes: 1_000, share: 0.5, serverLimitBytes: null };
  expect(slotBudgetBytes(input)).toBe(100);
  expect(slotBudgetBytes({ ...input, walFreeBytes: 60 })).toBe(30);
  expect(slotBudgetBytes({ ...input, serverLimitBytes: 7 })).toBe(7);
  expect(slotBudgetBytes({ ...input, walFreeBytes: 0 })).toBe(1);
});

test("units are printed for people", () => {
  expect([0, 1_023, 1_536, 200 * 1024 ** 2, 3.5 * 1024 ** 4].map(printBytes)).toEqual([
    "0 bytes",
    "1023 bytes",
    "1.5 KiB",
    "200 MiB",
    "3.5 TiB",
  ]);
  expect([3, 61, 4_000].map(printSeconds)).toEqual(["3 s", "2 min", "1 h 7 min"]);
});
