import { expect, test } from "vitest";
import { parseClusterFile } from "#coordinator/cluster-file/parse.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import { failures } from "#shared/errors.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { soon, startDriftBed } from "./support/drift-bed.ts";

test.each([
  ["a directory", "is no file any more", [["rm"], ["mkdir"]]],
  ["a symbolic link to itself", "is no file any more", [["ln", "-sfn", "pg_hba.conf"]]],
  ["unreadable", "can't be read", [["chmod", "000"]]],
  ["too large", "too large", [["truncate", "-s", "11M"]]],
])(
  "of a file that is %s it is told that nobody can read it, and nothing is done with it",
  async (_, said, changes) => {
    await using bed = await startDriftBed();
    const { castellan, host, paths } = bed;
    const { hbaFile } = paths;
    const cause = `node:srv127:file:${hbaFile}`;
    const before = await bed.read(hbaFile);
    for (const change of changes) await host.exec([...change, hbaFile]);
    const alert = await waitFor(() => bed.alertOf(cause), { ...soon, what: "the alert" });
    expect(alert.summary).toContain(said);
    await bed.drifted(hbaFile);
    for (const verb of ["accept", "revert"]) {
      const refused = await castellan.cli(["drift", verb, "srv127", hbaFile, "--yes"], { reject: false }); // prettier-ignore
      expect([verb, refused.exitCode, refused.stderr]).toEqual([verb, failures.REFUSED.exitCode, expect.stringContaining("can't be read")]); // prettier-ignore
    }
    await host.exec(["rm", "-rf", hbaFile]);
    await bed.drifted(hbaFile);
    await castellan.cli(["drift", "revert", "srv127", hbaFile, "--yes"]);
    expect(await bed.read(hbaFile)).toBe(before);
    await waitFor(async () => (await bed.alertOf(cause)) === undefined, soon);
  },
);

test("a file that can't be parsed is shown with the place and stays as it is until somebody decides", async () => {
  await using bed = await startDriftBed();
  const { castellan, paths } = bed;
  const { configFile } = paths;
  const before = await bed.read(configFile);
  const line = before.split("\n").length;
  const broken = `${before}work_mem = 'never closed\n`;
  await bed.write(configFile, broken);
  const alert = await waitFor(() => bed.alertOf(`node:srv127:file:${configFile}`), soon);
  expect(alert).toMatchObject({ line });
  expect(alert.detail).toContain(`${configFile}:${line}:`);
  expect(await bed.drifted(configFile)).toMatchObject({ isBroken: true });
  const accept = await castellan.cli(["drift", "accept", "srv127", configFile, "--yes"], { reject: false }); // prettier-ignore
  expect([accept.exitCode, accept.stderr]).toEqual([failures.REFUSED.exitCode, expect.stringContaining(`${configFile}:${line}:`)]); // prettier-ignore
  await castellan.killAgent("srv127");
  await castellan.startAgent("srv127");
  await castellan.connected(["srv127"]);
  expect(await bed.drifted(configFile)).toMatchObject({ isBroken: true });
  expect(await bed.read(configFile)).toBe(broken);
  await castellan.cli(["drift", "revert", "srv127", configFile, "--yes"]);
  expect(await bed.read(configFile)).toBe(before);
});

test("a setting that the server does not know and one that stands there twice are pointed out", async () => {
  await using bed = await startDriftBed();
  const { castellan, paths } = bed;
  const { configFile } = paths;
  const before = await bed.read(configFile);
  const line = before.split("\n").length;
  await bed.write(configFile, `${before}no_such_setting = 1\nwork_mem = 5MB\nwork_mem = 6MB\n`);
  const unknown = await waitFor(() => bed.alertOf("node:srv127:setting:no_such_setting"), soon);
  expect(unknown).toMatchObject({ file: configFile, line });
  await bed.drifted(configFile);
  const shown = await bed.show(configFile);
  expect(shown.complaints).toContainEqual(expect.objectContaining({ line: line + 2, message: expect.stringContaining("work_mem") })); // prettier-ignore
  await castellan.cli(["drift", "revert", "srv127", configFile, "--yes"]);
  await waitFor(async () => (await bed.alertOf("node:srv127:setting:no_such_setting")) === undefined, soon); // prettier-ignore
});

test("of two operators who accept at the same time one is first, and the other hears of it", async () => {
  await using bed = await startDriftBed();
  const { castellan, paths } = bed;
  const { hbaFile } = paths;
  await bed.write(hbaFile, `${await bed.read(hbaFile)}host app app 10.9.9.9/32 md5\n`);
  await bed.drifted(hbaFile);
  const { shown } = await bed.show(hbaFile);
  const both = await Promise.all(
    [1, 2].map(() => castellan.cli(["drift", "accept", "srv127", hbaFile, "--hash", shown], { reject: false })), // prettier-ignore
  );
  expect(both.map(({ exitCode }) => exitCode).toSorted((a, b) => a - b)).toEqual([0, failures.OPERATION_CONFLICT.exitCode]); // prettier-ignore
  expect(both.map(({ stderr }) => stderr).join("")).toContain("is as accepted: by ");
  expect((await bed.list()).files).toEqual([]);
});

test("a node that is no longer declared is watched as long as its agent is there, and comes back with what was accepted", async () => {
  await using bed = await startDriftBed();
  const { castellan, paths } = bed;
  const { hbaFile } = paths;
  const file = `${castellan.stateDirectory}/clusters/ESHA.yaml`;
  const declared = await castellan.coordinatorHost.readFile(file);
  const cluster = parseClusterFile(file, declared);
  const nodes = cluster.nodes.filter(({ name }) => name !== "srv127");
  await castellan.coordinatorHost.writeFile(file, printClusterYaml({ ...cluster, nodes }));
  const before = await bed.read(hbaFile);
  await bed.write(hbaFile, `${before}host app app 10.9.9.9/32 md5\n`);
  const cause = `node:srv127:file:${hbaFile}`;
  await waitFor(() => bed.alertOf(cause), { ...soon, what: "the alert" });
  expect(await bed.drifted(hbaFile)).toMatchObject({ cluster: null });
  const revert = ["drift", "revert", "srv127", hbaFile, "--yes"];
  const refused = await castellan.cli(revert, { reject: false });
  expect([refused.exitCode, refused.stderr]).toEqual([failures.NOT_FOUND.exitCode, expect.stringContaining("No cluster's declaration names srv127")]); // prettier-ignore

  // Its host is gone for good: what is known of it stays, and nothing is done behind its back.
  await castellan.killAgent("srv127");
  await waitFor(async () => (await bed.show(hbaFile)).isAway, soon);
  const away = await castellan.cli(["drift", "accept", "srv127", hbaFile, "--yes"], { reject: false }); // prettier-ignore
  expect(away.exitCode).toBe(failures.NODE_UNREACHABLE.exitCode);
  expect(await bed.alertOf(cause)).toBeDefined();

  await castellan.coordinatorHost.writeFile(file, declared);
  await castellan.startAgent("srv127");
  await castellan.connected(["srv127"]);
  expect(await bed.drifted(hbaFile)).toMatchObject({ cluster: "ESHA" });
  await castellan.cli(revert);
  expect(await bed.read(hbaFile)).toBe(before);
  await waitFor(async () => (await bed.alertOf(cause)) === undefined, soon);
});
