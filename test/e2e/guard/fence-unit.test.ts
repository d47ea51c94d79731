import { expect, onTestFailed, test } from "vitest";
import { incompleteMarker } from "#shared/domain/names.ts";
import { installAgent, installCoordinator } from "#test/e2e/systemd/install.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { bootSystemdHost, systemdRunning } from "#test/harness/systemd-host.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const fenceUnit = "castellan-fence.service";
const state = "/var/lib/castellan-agent";

/** As a distribution's package starts its server. */
function databaseUnit(cluster: TestCluster): string {
  const { paths } = cluster.node("srv127");
  const control = `${paths.control} -D ${paths.dataDir} -w`;
  return `[Unit]
Description=the site's own unit
[Service]
Type=forking
User=${cluster.lane.osUser}
ExecStart=${control} -l ${paths.logFile} start
ExecStop=${control} -m fast stop
[Install]
WantedBy=multi-user.target
`;
}

test("systemd runs the fence before each start of the database's own unit: at boot, at a restart, and never for an unfinished copy", async () => {
  await using lab = await createLab({
    hosts: [
      { name: "srv127", address: "192.168.4.127" },
      { name: "coord", address: "192.168.4.10" },
    ],
  });
  onTestFailed(() => lab.keep());
  await Promise.all(lab.hosts.map((host) => bootSystemdHost(host)));
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  const { host, paths } = cluster.node("srv127");
  await installCoordinator(lab.host("coord"));
  await installAgent(lab.host("coord"), cluster, cluster.node("srv127"));
  const isInRecovery = async () =>
    (await cluster.sql("srv127", "SELECT pg_is_in_recovery() AS r"))[0]?.["r"];
  const systemctl = async (...words: readonly string[]) =>
    (await host.exec(["systemctl", ...words], { reject: false })).exitCode;

  const from = `${host.projectPath}/systemd`;
  const units = "/etc/systemd/system";
  await cluster.stop("srv127");
  await host.writeFile(`${units}/site-database.service`, databaseUnit(cluster));
  await host.makeDirectory(`${units}/site-database.service.d`);
  const example = `${from}/castellan-fence.service.d/database-unit.conf.example`;
  await host.exec(["cp", example, `${units}/site-database.service.d/castellan.conf`]);
  await host.exec(["install", "-m", "0644", `${from}/${fenceUnit}`, units]);
  // What a test installs below /usr is gone when its host loses its power.
  const programs = `s#/usr/lib/castellan/#${host.projectPath}/dist/#`;
  await host.exec(["sed", "-i", programs, `${units}/${fenceUnit}`, `${units}/castellan-agent.service`]); // prettier-ignore
  await host.exec(["systemctl", "daemon-reload"]);
  await host.exec(["systemctl", "enable", fenceUnit, "site-database.service"]);
  const { stdout, stderr } = await host.exec(["systemd-analyze", "--man=no", "verify", fenceUnit]);
  expect(`${stdout}${stderr}`.split("\n").filter((line) => line.includes("castellan"))).toEqual([]);

  expect(await systemctl("start", "site-database")).toBe(0);
  expect(await isInRecovery()).toBe(false);
  await waitFor(async () => (await host.readFile(`${state}/guard-marks.json`)).includes('"timeline":1')); // prettier-ignore
  expect(await systemctl("restart", "site-database")).toBe(0);
  expect(await isInRecovery()).toBe(false);

  const machineId = (await host.readFile("/etc/machine-id")).trim();
  const mode = { machineId, node: "srv127", mode: "enforce", by: "test", maintenance: null };
  await systemctl("stop", "castellan-agent");
  await host.writeFile(`${state}/guard-mode.json`, JSON.stringify(mode), { owner: cluster.lane.osUser, mode: 0o600 }); // prettier-ignore
  await host.powerOff();
  await host.boot("systemd");
  await systemdRunning(host);
  await waitFor(isInRecovery, { what: "the server to be a standby" });
  const { stdout: said } = await host.exec(["journalctl", "--no-pager", "--unit", fenceUnit]);
  expect(said).toContain("standby.signal written; it was a primary");

  expect(await systemctl("restart", "site-database")).toBe(0);
  expect(await isInRecovery()).toBe(true);
  // It would take the database with it.
  expect(await systemctl("stop", fenceUnit)).not.toBe(0);
  expect(await isInRecovery()).toBe(true);

  expect(await systemctl("stop", "site-database")).toBe(0);
  await host.writeFile(`${paths.dataDir}/${incompleteMarker}`, "");
  expect(await systemctl("start", "site-database")).not.toBe(0);
  expect(await cluster.isRunning("srv127")).toBe(false);
  expect(await host.exec(["systemctl", "show", "-P", "ExecMainStatus", fenceUnit])).toMatchObject({
    stdout: "10",
  });
});
