import { mkdir, readFile, readdir, readlink, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { proveStreaming } from "#agent/steps/prove-streaming.ts";
import { startDatabase } from "#agent/steps/start-database.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import { joinRegime } from "#agent/steps/join-regime.ts";
import { runStep } from "./run-step.ts";
import { addStandby, removeStandby, standbyArgs, type StandbyArgs } from "./standby-steps.ts";
import { createStepLab, type StepLab } from "./step-lab.ts";
import type { TestAgent } from "./test-agent.ts";

let lab: StepLab;
let primary: TestAgent;
let target: TestAgent;
let args: StandbyArgs;

beforeAll(async () => {
  lab = await createStepLab();
  primary = await lab.agent("n1");
  target = await lab.agent("n2");
  args = await standbyArgs(lab);
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
  await primary[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

test("a tablespace is copied to its own place on this host, and undo takes that place away too", async () => {
  const from = join(lab.folder, "n1", "space=1");
  const to = join(lab.folder, "n2", "spaces", "one");
  await mkdir(from);
  await lab.sql(lab.n1.port, `CREATE TABLESPACE one LOCATION '${from}'`);
  await lab.sql(lab.n1.port, "CREATE TABLE spaced TABLESPACE one AS SELECT 1 AS n");
  const mapped = { ...args, backup: { ...args.backup, tablespaces: [{ from, to }] } };
  await addStandby(mapped, primary, target);
  await proveStreaming.verify(args.streaming, target);
  const [link] = await readdir(join(lab.n2.paths.dataDirectory, "pg_tblspc"));
  expect(await readlink(join(lab.n2.paths.dataDirectory, "pg_tblspc", link ?? ""))).toBe(to);
  expect(await lab.sql(lab.n2.port, "SELECT count(*) FROM spaced")).toBe("1");
  await removeStandby(mapped, primary, target);
  expect(await readdir(join(lab.folder, "n2"))).toEqual(["state"]);
  expect(await target.ledger.list("")).toEqual([]);
  await lab.sql(lab.n1.port, "DROP TABLE spaced");
  await lab.sql(lab.n1.port, "DROP TABLESPACE one");
});

test("an empty data directory of the site is used, and is empty again after undo", async () => {
  await mkdir(lab.n2.paths.dataDirectory, { mode: 0o700 });
  await addStandby(args, primary, target);
  await removeStandby(args, primary, target);
  expect(await readdir(lab.n2.paths.dataDirectory)).toEqual([]);
  expect((await stat(lab.n2.paths.dataDirectory)).mode & 0o777).toBe(0o700);
  await rm(lab.n2.paths.dataDirectory, { recursive: true });
});

test("where the data directory is a mount point the copy goes straight into it", async () => {
  const place = lab.n2.paths.dataDirectory;
  await mkdir(place, { mode: 0o700 });
  const inPlace: StandbyArgs = {
    ...args,
    backup: { ...args.backup, stagingDirectory: place },
    files: { ...args.files, stagingDirectory: place },
    place: { ...args.place, stagingDirectory: place },
  };
  // Nothing beside a mount point may be written.
  const mounted = await lab.agent("n2", { allowedPaths: [place] });
  await addStandby(inPlace, primary, mounted);
  await proveStreaming.verify(args.streaming, mounted);
  await removeStandby(inPlace, primary, mounted);
  await mounted[Symbol.asyncDispose]();
  expect(await readdir(place)).toEqual([]);
  expect((await readdir(join(lab.folder, "n2"))).sort()).toEqual(["data", "state"]);
  await rm(place, { recursive: true });
});

test("configuration outside the data directory is written there and points to this node's places", async () => {
  const etc = join(lab.folder, "n2", "etc", "main");
  const paths = {
    ...lab.n2.paths,
    configFile: join(etc, "postgresql.conf"),
    hbaFile: join(etc, "pg_hba.conf"),
    identFile: join(etc, "pg_ident.conf"),
  };
  const source = await readFile(lab.n1.paths.configFile, "latin1");
  const text = `data_directory = '/elsewhere'\nhba_file = '/elsewhere/pg_hba.conf'\n${source}`;
  const hba = await readFile(lab.n1.paths.hbaFile, "latin1");
  const outside: StandbyArgs = {
    ...args,
    files: {
      ...args.files,
      node: { ...lab.n2, paths },
      outsideFiles: [
        { path: paths.configFile, text, mode: 0o644 },
        { path: paths.hbaFile, text: hba, mode: 0o640 },
        { path: paths.identFile, text: "", mode: 0o640 },
      ],
    },
  };
  const debian: TestAgent = { ...target, settings: { ...target.settings, paths } };
  await addStandby(outside, primary, debian);
  await proveStreaming.verify(args.streaming, debian);
  expect(await lab.sql(lab.n2.port, "SHOW config_file")).toBe(paths.configFile);
  expect(await lab.sql(lab.n2.port, "SHOW hba_file")).toBe(paths.hbaFile);
  await removeStandby(outside, primary, debian);
  expect(await readdir(join(lab.folder, "n2"))).toEqual(["state"]);
});

test("a file of ours that a person changed is kept and said so", async () => {
  const path = join(lab.folder, "n2", "etc", "extra.conf");
  const extra = { ...args.files, outsideFiles: [{ path, text: "a = 1\n", mode: 0o644 }] };
  await addStandby({ ...args, files: extra }, primary, target);
  await writeFile(path, "a = 2\n");
  const lines = await removeStandby({ ...args, files: extra }, primary, target);
  expect(lines).toContain(`${path} is kept: it was changed after we wrote it`);
  expect(await readFile(path, "utf8")).toBe("a = 2\n");
  await rm(join(lab.folder, "n2", "etc"), { recursive: true });
});

test("a copy can be taken from a standby once it has replayed what the slot holds", async () => {
  await addStandby(args, primary, target);
  await proveStreaming.verify(args.streaming, target);
  const third = await lab.agent("n2", { operationId: "op-thirdthird" });
  await lab.sql(lab.n2.port, "SELECT pg_create_physical_replication_slot('slot_n3', true)");
  await lab.sql(lab.n1.port, "SELECT pg_create_physical_replication_slot('slot_n3', true)");
  const { baseBackup } = await import("#agent/steps/base-backup.ts");
  const backup = {
    ...args.backup,
    slot: "slot_n3",
    source: { ...lab.source, node: "n2", port: lab.n2.port },
    stagingDirectory: join(lab.folder, "n2", "third.copy"),
    dataDirectory: join(lab.folder, "n2", "third"),
  };
  const result = await runStep(baseBackup, backup, third);
  expect(result.copiedBytes).toBeGreaterThan(10e6);
  await baseBackup.undo(backup, third);
  await lab.sql(lab.n2.port, "SELECT pg_drop_replication_slot('slot_n3')");
  await lab.sql(lab.n1.port, "SELECT pg_drop_replication_slot('slot_n3')");
  await third[Symbol.asyncDispose]();
});

test("the marker goes when the node has joined, and is back when that is undone", async () => {
  const marker = join(lab.n2.paths.dataDirectory, incompleteMarker);
  const regime = { dataDirectory: lab.n2.paths.dataDirectory, vendorInCharge: false };
  await stat(marker);
  await runStep(joinRegime, regime, target);
  await expect(stat(marker)).rejects.toThrow("ENOENT");
  expect(await joinRegime.check(regime, target)).not.toBeNull();
  await joinRegime.undo(regime, target);
  await stat(marker);
});

test("a copy without a standby marker is not started", async () => {
  await startDatabase.undo(args.start, target);
  await rm(join(lab.n2.paths.dataDirectory, "standby.signal"));
  await expect(runStep(startDatabase, args.start, target)).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringContaining("would open as a primary"),
  });
  await writeFile(join(lab.n2.paths.dataDirectory, "standby.signal"), "");
});

test("a server that can't start says why in its own words", async () => {
  const conf = lab.n2.paths.configFile;
  const before = await readFile(conf, "utf8");
  await writeFile(conf, `${before}max_connections = nonsense\n`);
  await expect(runStep(startDatabase, args.start, target)).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    evidence: expect.arrayContaining([expect.stringContaining("max_connections")]),
  });
  await writeFile(conf, before);
  await runStep(startDatabase, args.start, target);
  await removeStandby(args, primary, target);
  expect(await readdir(join(lab.folder, "n2"))).toEqual(["state"]);
});
