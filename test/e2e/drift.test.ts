import { expect, test } from "vitest";
import { waitFor } from "#test/harness/wait-for.ts";
import type { FileHistory } from "#coordinator/api/drift-contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { failures } from "#shared/errors.ts";
import { soon, startDriftBed } from "./support/drift-bed.ts";

test("an edit is an alert with its diff; shown, accepted, and from then on what is right", async () => {
  await using bed = await startDriftBed();
  const { castellan, paths } = bed;
  const { hbaFile } = paths;
  const cause = `node:srv127:file:${hbaFile}`;
  const before = await bed.read(hbaFile);
  await bed.write(hbaFile, `${before}host app app 10.9.9.9/32 md5\n`);
  const alert = await waitFor(() => bed.alertOf(cause), { ...soon, what: "the alert" });
  expect(alert?.detail).toContain("+host app app 10.9.9.9/32 md5");
  expect(alert).toMatchObject({ node: "srv127", file: hbaFile, line: before.split("\n").length });
  expect(alert?.who).toMatch(/^uid \d+/);
  expect(alert?.fix).toBe(`castellan drift show srv127 ${hbaFile}`);

  await bed.drifted(hbaFile);
  const shown = await bed.show("pg_hba.conf");
  expect(shown.path).toBe(hbaFile);
  expect(shown.diff.join("\n")).toContain("+host app app 10.9.9.9/32 md5");
  expect(shown.changes.join("\n")).toContain("10.9.9.9");
  expect(shown.inForce).toBe("not before a reload");
  const human = (await castellan.cli(["drift", "show", "srv127", "pg_hba.conf"])).stdout;
  expect(human).toContain(`drift accept srv127 ${hbaFile} --hash ${shown.shown}`);
  await castellan.cli(["drift", "accept", "srv127", "pg_hba.conf", "--hash", shown.shown]);
  await waitFor(async () => (await bed.alertOf(cause)) === undefined, soon);
  expect((await bed.list()).files).toEqual([]);
  const again = await castellan.cli(["drift", "accept", "srv127", "pg_hba.conf", "--hash", shown.shown], { reject: false }); // prettier-ignore
  expect(again.exitCode).toBe(failures.OPERATION_CONFLICT.exitCode);
  expect(again.stderr).toContain("is as accepted: by ");

  const history = await castellan.json<FileHistory>(["file", "history", "srv127", "pg_hba.conf"]);
  expect(history.versions.map(({ version }) => version)).toEqual([2, 1]);
  expect(history.versions.every(({ acceptedBy }) => acceptedBy !== null)).toBe(true);
  const diff = (await castellan.cli(["file", "diff", "srv127:1", "srv127", "pg_hba.conf"])).stdout;
  expect(diff).toContain("+host app app 10.9.9.9/32 md5");
  const nodes = await castellan.cli(["file", "diff", "srv127", "srv129", "pg_hba.conf"]);
  expect(nodes.stdout).toContain("on srv129");
  const old = await castellan.cli(["file", "show", "srv127", "pg_hba.conf", "--version", "1"]);
  expect(old.stdout.trimEnd()).toBe(before.trimEnd());
});

test("a revert puts the bytes and the mode back and the settings in force, and is refused for what was not shown", async () => {
  await using bed = await startDriftBed();
  const { castellan, cluster, host, paths } = bed;
  const { configFile } = paths;
  const before = await bed.read(configFile);
  const mode = async () => (await host.exec(["stat", "-c", "%a %U", configFile])).stdout.trim();
  const modeBefore = await mode();
  const setting = async () => {
    const [row] = await cluster.sql("srv127", "SELECT current_setting('work_mem') AS value");
    return row?.["value"];
  };
  const inForce = await setting();
  await bed.write(configFile, `${before}work_mem = 9MB\n`);
  await host.exec(["chmod", "644", configFile]);
  await host.exec(["chown", "root", configFile]);
  await waitFor(() => bed.alertOf("node:srv127:setting:work_mem"), { ...soon, what: "the setting's own alert" }); // prettier-ignore
  await cluster.sql("srv127", "SELECT pg_reload_conf()");
  await waitFor(async () => (await setting()) === "9MB", soon);
  await waitFor(async () => (await bed.alertOf("node:srv127:setting:work_mem")) === undefined, { ...soon, what: "the setting to be in force" }); // prettier-ignore
  await waitFor(async () => (await bed.show(configFile)).inForce === "in force", soon);

  const { shown } = await bed.show(configFile);
  await bed.write(configFile, `${before}work_mem = 9MB\nwork_mem = 10MB\n`);
  const other = await castellan.cli(["drift", "revert", "srv127", configFile, "--hash", shown], { reject: false }); // prettier-ignore
  expect(other.exitCode).toBe(failures.PLAN_CHANGED.exitCode);
  expect(other.stderr).toContain("work_mem = 10MB");
  expect(await bed.read(configFile)).toContain("work_mem = 10MB");

  const dry = await castellan.cli(["drift", "revert", "srv127", "postgresql.conf", "--dry-run"]);
  const [, hash = ""] = /--hash ([0-9a-f]{16})/.exec(dry.stdout) ?? [];
  expect(dry.stdout).toContain("-work_mem = 10MB");
  expect(await bed.read(configFile)).toContain("work_mem = 10MB");
  const operation = await castellan.json<OperationRecord>(["drift", "revert", "srv127", "postgresql.conf", "--hash", hash]); // prettier-ignore
  expect(operation).toMatchObject({ kind: "revert-file", state: "succeeded" });
  expect(await bed.read(configFile)).toBe(before);
  expect(await mode()).toBe(modeBefore);
  await waitFor(async () => (await setting()) === inForce, { ...soon, what: "the former value in force" }); // prettier-ignore
  await waitFor(async () => (await bed.list()).files.length === 0, soon);
  await waitFor(async () => (await bed.alertOf(`node:srv127:file:${configFile}`)) === undefined, soon); // prettier-ignore
});

test("what changed while the coordinator was down is told with the file's own time, and no secret with it", async () => {
  await using bed = await startDriftBed();
  const { castellan, host, paths } = bed;
  const auto = `${paths.dataDir}/postgresql.auto.conf`;
  const before = await bed.read(auto);
  await castellan.killCoordinator();
  const secret = "never-told-5ecret";
  await bed.write(auto, `${before}primary_conninfo = 'host=10.0.0.1 password=${secret}'\n`);
  await host.exec(["touch", "-d", "2026-01-02T03:04:05Z", auto]);
  await bed.write(paths.hbaFile, "# nobody\n");
  await castellan.startCoordinator();
  await bed.drifted(paths.hbaFile);
  await bed.drifted(auto);
  const shown = await bed.show(auto);
  expect(shown.modifiedAt).toBe(Date.UTC(2026, 0, 2, 3, 4, 5));
  expect(shown.diff.join("\n")).toContain("+primary_conninfo = 'host=10.0.0.1 password=[secret");
  expect(shown.complaints).toEqual([]);
  await castellan.cli(["drift", "revert", "srv127", auto, "--yes"]);
  expect(await bed.read(auto)).toBe(before);
  await castellan.cli(["drift", "revert", "srv127", "pg_hba.conf", "--yes"]);
  await waitFor(async () => (await bed.list()).files.length === 0, soon);
  const said = [
    await castellan.cli(["alert", "list", "--all"]),
    await castellan.cli(["file", "history", "srv127", auto, "--json"]),
    await castellan.cli(["why", "srv127"]),
  ];
  for (const text of [secret, Buffer.from(secret).toString("base64")]) {
    expect(said.map(({ stdout }) => stdout).join("\n")).not.toContain(text);
    const found = await castellan.coordinatorHost.exec(["grep", "-rlaF", text, castellan.stateDirectory], { reject: false }); // prettier-ignore
    expect(found.stdout).toBe("");
  }
});

test("killed in the middle of a revert the agent goes on with it, and the file is whole at every instant", async () => {
  await using bed = await startDriftBed({ crashPoints: true });
  const { castellan, paths } = bed;
  const { hbaFile } = paths;
  const before = await bed.read(hbaFile);
  const points = ["step:noted:restored", "file:written-beside:pg_hba.conf", "file:renamed:pg_hba.conf", "step:reloaded"]; // prettier-ignore
  for (const [index, point] of points.entries()) {
    const edited = `${before}host app app 10.9.9.${index}/32 md5\n`;
    await castellan.killAgent("srv127");
    await bed.write(hbaFile, edited);
    await castellan.startAgent("srv127", { CASTELLAN_CRASH_AT: point });
    await castellan.connected(["srv127"]);
    await bed.drifted(hbaFile);
    const revert = castellan.cli(["drift", "revert", "srv127", "pg_hba.conf", "--yes", "--json"], { reject: false }); // prettier-ignore
    await castellan.agent("srv127").exited;
    expect([edited, before]).toContain(await bed.read(hbaFile));
    await castellan.startAgent("srv127");
    const { stdout, exitCode } = await revert;
    expect([point, exitCode, stdout]).toEqual([point, 0, expect.stringContaining('"succeeded"')]);
    expect(await bed.read(hbaFile)).toBe(before);
    await waitFor(async () => (await bed.list()).files.length === 0, soon);
  }
});
