import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createJoinFiles } from "#agent/adapters/join-files.ts";
import { exchangeToken } from "#agent/adapters/join-request.ts";
import { loadSettings } from "#agent/adapters/settings-file.ts";
import { join, type JoinOptions } from "#agent/join.ts";
import { joinSettings } from "#agent/join-settings.ts";
import {
  FakeCoordinator,
  fingerprintOf,
  makeCertificate,
  type Credentials,
} from "./fake-coordinator.ts";
import { joinDefaults } from "./real-ports.ts";

let credentials: Credentials;
let folder = "";
beforeAll(async () => {
  credentials = await makeCertificate();
});
beforeEach(async () => {
  folder = await mkdtemp(path(tmpdir(), "castellan-join-"));
});
afterEach(() => rm(folder, { recursive: true }));

const token = "one-time-token-of-test";

function options(
  coordinator: FakeCoordinator,
  more: Partial<JoinOptions> = {},
  input: Partial<typeof joinDefaults> = {},
): JoinOptions {
  return {
    input: {
      ...joinDefaults,
      coordinator: { host: "127.0.0.1", port: coordinator.port },
      stateDirectory: path(folder, "state"),
      ...input,
    },
    fingerprint: fingerprintOf(credentials.certificate),
    token,
    configFile: path(folder, "etc/agent.yaml"),
    force: false,
    files: createJoinFiles(null),
    exchange: exchangeToken,
    timeoutMs: 5_000,
    ...more,
  };
}

test("join writes certificate, secret and a commented agent.yaml that the agent reads back", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  const asked = options(coordinator);
  const lines = await join(asked);
  expect(lines[0]).toContain("srv159 has joined");
  const text = await readFile(asked.configFile, "utf8");
  expect(text).toContain("# What this host lets the agent do.");
  const { settings } = await loadSettings(asked.configFile);
  expect(settings).toEqual(joinSettings(asked.input));
  expect(await readFile(settings.coordinator.secretFile, "utf8")).toBe(coordinator.secret);
  expect((await stat(settings.coordinator.secretFile)).mode & 0o777).toBe(0o600);
  expect((await stat(settings.stateDirectory)).mode & 0o777).toBe(0o700);
  expect(await readFile(settings.coordinator.certificateFile, "utf8")).toBe(
    credentials.certificate,
  );
  expect(text + lines.join("")).not.toContain(token);
  expect(text).not.toContain(coordinator.secret);
  expect(coordinator.joins).toHaveLength(1);
});

test("another certificate than the line names ends it before the token is sent", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  const asked = options(coordinator, { fingerprint: "ab".repeat(32) });
  await expect(join(asked)).rejects.toMatchObject({
    code: "AUTHENTICATION_FAILED",
    message: expect.stringContaining("the token was not sent"),
  });
  expect(coordinator.joins).toEqual([]);
  await expect(stat(asked.configFile)).rejects.toMatchObject({ code: "ENOENT" });
});

test("the coordinator's own refusal reaches the person with its code and hint", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  coordinator.joinAnswer = {
    status: 401,
    body: {
      error: {
        code: "AUTHENTICATION_FAILED",
        message: "The token for srv159 was used before; a token works once.",
        hint: "make a new one",
        evidence: [],
        retryable: false,
      },
    },
  };
  await expect(join(options(coordinator))).rejects.toMatchObject({
    code: "AUTHENTICATION_FAILED",
    message: expect.stringContaining("used before"),
    hint: "make a new one",
  });
  expect(await readdir(folder)).toEqual(expect.not.arrayContaining(["agent.yaml"]));
});

test("no coordinator at that address is said, and nothing is left but folders", async () => {
  const gone = await FakeCoordinator.start(credentials);
  await gone[Symbol.asyncDispose]();
  const asked = options(gone);
  await expect(join(asked)).rejects.toMatchObject({ code: "COORDINATOR_UNREACHABLE" });
  await expect(stat(asked.configFile)).rejects.toMatchObject({ code: "ENOENT" });
});

test("another node's agent.yaml is not replaced, unless forced", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  await join(options(coordinator, {}, { node: "srv127" }));
  const asked = options(coordinator);
  await expect(join(asked)).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
    message: expect.stringContaining("srv127"),
  });
  expect(coordinator.joins).toHaveLength(1);
  await join({ ...asked, force: true });
  expect((await loadSettings(asked.configFile)).settings.node).toBe("srv159");
});

test("joining again keeps what the site wrote, and only follows the coordinator's address", async () => {
  await using first = await FakeCoordinator.start(credentials);
  const asked = options(first);
  await join(asked);
  const edited = (await readFile(asked.configFile, "utf8")).replace(
    "# Milliseconds",
    "# ours: slower disks here\n# Milliseconds",
  );
  await writeFile(asked.configFile, edited);
  await join({ ...asked, input: { ...asked.input, dataDirectory: "/elsewhere" } });
  expect(await readFile(asked.configFile, "utf8")).toBe(edited);
  await using second = await FakeCoordinator.start(credentials);
  await join(options(second));
  const moved = await readFile(asked.configFile, "utf8");
  expect(moved).toContain("# ours: slower disks here");
  expect((await loadSettings(asked.configFile)).settings.coordinator.url).toBe(
    `wss://127.0.0.1:${second.port}/agent`,
  );
});

test("a mistake in agent.yaml is named with file, line and column", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  const asked = options(coordinator);
  await join(asked);
  const good = await readFile(asked.configFile, "utf8");
  const lineOf = (word: string) => good.split("\n").findIndex((line) => line.includes(word)) + 1;
  await writeFile(asked.configFile, good.replace("port: 5432", "port: 99999"));
  await expect(loadSettings(asked.configFile)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringMatching(
      new RegExp(`^${asked.configFile}:${lineOf("port: 5432")}:9: database\\.port: `),
    ),
  });
  await writeFile(asked.configFile, good.replace('product: "postgresql"', "product: [postgresql"));
  await expect(loadSettings(asked.configFile)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringMatching(new RegExp(`^${asked.configFile}:\\d+:\\d+: `)),
  });
});
