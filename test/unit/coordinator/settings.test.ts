import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { advertisedHost, loadSettings } from "#coordinator/settings.ts";

const folder = mkdtempSync(join(tmpdir(), "castellan-"));
afterAll(() => rmSync(folder, { recursive: true }));

function load(yaml: string) {
  writeFileSync(join(folder, "settings.yaml"), yaml);
  return loadSettings(folder);
}

test("an empty file means all defaults", () => {
  expect(load("")).toMatchObject({
    listen: { address: "0.0.0.0", port: 7300 },
    clustersDirectory: join(folder, "clusters"),
    heartbeat: { everyMs: 2_000, lostAfterMs: 6_000 },
    limits: { attempts: 4 },
    addNode: { walBudgetBytes: 64 * 1024 ** 3, stallMs: 60_000 },
  });
});

test("the limits of adding a node are settings", () => {
  expect(load("addNode: { stallMs: 5000, walBudgetBytes: 100000000 }").addNode).toMatchObject({
    stallMs: 5_000,
    walBudgetBytes: 100_000_000,
    walShare: 0.5,
  });
  expect(() => load("addNode:\n  walShare: 2\n")).toThrow(/addNode\.walShare: .*:2:13/);
});

test("flags go before the file, the file before the defaults", () => {
  writeFileSync(join(folder, "settings.yaml"), "listen: { address: 10.0.0.1, port: 1 }");
  expect(loadSettings(folder, { port: 2 }).listen).toEqual({ address: "10.0.0.1", port: 2 });
});

test.each([
  ["listen:\n  port: 99999\n", /listen\.port: .*settings\.yaml:2:9/],
  ["heartbeat: {}\nlimit: {}\n", /"limit".*settings\.yaml:1:1/],
  ["listen: [1\n", /settings\.yaml:\d+:\d+/],
])("a mistake in %j is named with its place", (yaml, message) => {
  expect(() => load(yaml)).toThrow(message);
});

test("agents are told the advertised host, else the address that is listened on", () => {
  expect(advertisedHost(load("advertise: { address: db-manager }"))).toBe("db-manager");
  expect(advertisedHost(load("listen: { address: 10.0.0.1 }"))).toBe("10.0.0.1");
});
