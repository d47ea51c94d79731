import { expect, onTestFailed, test } from "vitest";
import type { StatusAnswer } from "#coordinator/api/contract.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { createCluster } from "#test/harness/cluster.ts";
import type { Host } from "#test/harness/host.ts";
import { createLab } from "#test/harness/lab.ts";
import { bootSystemdHost } from "#test/harness/systemd-host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { castellan, installAgent, installCoordinator, replaceAgent } from "./systemd/install.ts";

const agentUnit = "castellan-agent.service";

test("systemd stops, restarts, kills and upgrades the agent, and the copy and the server that it started go on without a capability", async () => {
  await using lab = await createLab({
    hosts: [
      { name: "srv127", address: "192.168.4.127" },
      { name: "srv129", address: "192.168.4.129" },
      { name: "srv159", address: "192.168.4.159" },
      { name: "coord", address: "192.168.4.10" },
    ],
  });
  onTestFailed(() => lab.keep());
  await Promise.all(lab.hosts.map((host) => bootSystemdHost(host)));
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    version: 15,
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
  });
  const coordinator = lab.host("coord");
  const { host } = cluster.node("srv159");
  await installCoordinator(coordinator);
  const nodes = ["srv127", "srv129", "srv159"];
  for (const name of nodes) {
    await installAgent(coordinator, cluster, cluster.node(name));
  }
  await verifyUnit(coordinator, "castellan-coordinator.service");
  await verifyUnit(host, agentUnit);
  expect(await show(host, agentUnit, "StatusText")).toBe("node srv159");
  // The root helper is reached through sudo, which this would forbid.
  expect(await statusField(host, Number(await mainPid(host)), "NoNewPrivs")).toBe("0");
  await agentsConnected(coordinator, nodes);
  await castellan(coordinator, ["cluster", "import", "ESHA"]);

  // A copy that is slow enough to be there while all of this happens.
  const nodeAdd = "node add ESHA srv159 --address 192.168.4.159 --max-rate 3M --yes";
  const adding = await coordinator.spawn(["castellan", ...nodeAdd.split(" ")], {
    user: "castellan",
    logFile: coordinator.path("/var/log/node-add.log"),
  });
  const said = () => coordinator.readFile("/var/log/node-add.log");
  const backup = await waitFor(async () => (adding.isRunning() ? both(await copying(host)) : []), {
    timeoutMs: 60_000,
    what: "the base backup to begin",
  });
  expect(backup, await said()).not.toEqual([]);
  await withoutCapabilities(host, backup);
  await changeAgent(host, "restart");
  expect(await copying(host)).toEqual(backup);
  await changeAgent(host, "stop");
  expect(await copying(host)).toEqual(backup);
  await replaceAgent(host, "0.1.1-during-the-copy");
  await changeAgent(host, "start");
  expect(await copying(host)).toEqual(backup);
  await agentOf(coordinator, "srv159", "0.1.1-during-the-copy");
  expect(await adding.exited, await said()).toBe(0);
  expect(await backupAttempts(coordinator)).toBeGreaterThan(1);

  const postmaster = await postmasterOf(host, cluster.node("srv159").paths.pidFile);
  await withoutCapabilities(host, [postmaster]);
  await changeAgent(host, "restart");
  await changeAgent(host, "stop");
  await replaceAgent(host, "0.1.2-after-the-copy");
  await changeAgent(host, "start");
  await agentOf(coordinator, "srv159", "0.1.2-after-the-copy");
  await hangAgent(host);
  await agentsConnected(coordinator, ["srv159"]);
  expect(await postmasterOf(host, cluster.node("srv159").paths.pidFile)).toEqual(postmaster);
  const streaming = "SELECT application_name AS node, state FROM pg_stat_replication ORDER BY 1";
  expect(await cluster.sql("srv127", streaming)).toEqual([
    { node: "srv129", state: "streaming" },
    { node: "srv159", state: "streaming" },
  ]);

  await coordinator.exec(["systemctl", "restart", "castellan-coordinator.service"]);
  await agentsConnected(coordinator, nodes);
});

/** A process for good: pids are used again, pids with start times are not. */
type Process = { readonly pid: number; readonly startTime: string };

/** The copy's own process and the one that receives WAL beside it, without those that only ask for the version. */
async function copying(host: Host): Promise<Process[]> {
  const { stdout } = await host.exec(["pgrep", "-f", "^[^ ]*pg_basebackup .*-D "], {
    reject: false,
  });
  const pids = stdout.split("\n").filter((line) => line !== "");
  return Promise.all(pids.map((pid) => processOf(host, Number(pid))));
}

function both(found: Process[]): Process[] | null {
  return found.length === 2 ? found : null;
}

async function postmasterOf(host: Host, pidFile: string): Promise<Process> {
  const [pid] = (await host.readFile(pidFile)).split("\n");
  return processOf(host, Number(pid));
}

async function processOf(host: Host, pid: number): Promise<Process> {
  const { stdout: stat } = await host.exec(["cat", `/proc/${pid}/stat`]);
  // proc(5): field 22, counted here from field 3 on.
  const startTime = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return { pid, startTime };
}

async function withoutCapabilities(host: Host, processes: readonly Process[]): Promise<void> {
  for (const { pid } of processes) {
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) {
      expect(await statusField(host, pid, set), `${set} of ${pid}`).toBe("0000000000000000");
    }
  }
}

async function statusField(host: Host, pid: number, field: string): Promise<string | undefined> {
  const { stdout } = await host.exec(["cat", `/proc/${pid}/status`]);
  return new RegExp(`^${field}:\\s*(\\S+)$`, "m").exec(stdout)?.[1];
}

/** systemctl returns when the agent has said READY, or has ended. */
async function changeAgent(host: Host, verb: "restart" | "stop" | "start"): Promise<void> {
  const before = await mainPid(host);
  await host.exec(["systemctl", verb, agentUnit]);
  expect(await show(host, agentUnit, "ActiveState")).toBe(verb === "stop" ? "inactive" : "active");
  expect(await mainPid(host)).not.toBe(before);
}

/** An agent that hangs is ended by systemd's watchdog, and a new one comes. */
async function hangAgent(host: Host): Promise<void> {
  await host.makeDirectory(`/etc/systemd/system/${agentUnit}.d`);
  const hurry = "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n";
  await host.writeFile(`/etc/systemd/system/${agentUnit}.d/hurry.conf`, hurry);
  await host.exec(["systemctl", "daemon-reload"]);
  await changeAgent(host, "restart");
  const hung = await mainPid(host);
  await host.exec(["kill", "-STOP", hung]);
  await waitFor(
    async () =>
      (await mainPid(host)) !== hung && (await show(host, agentUnit, "ActiveState")) === "active",
    { timeoutMs: 20_000, what: "the watchdog to replace the agent that hangs" },
  );
  const journal = ["journalctl", "--unit", agentUnit, "--no-pager", "--grep", "Watchdog timeout"];
  expect((await host.exec(journal)).stdout).toContain("Watchdog timeout");
}

function mainPid(host: Host): Promise<string> {
  return show(host, agentUnit, "MainPID");
}

async function show(host: Host, unit: string, property: string): Promise<string> {
  const { stdout } = await host.exec(["systemctl", "show", "-P", property, unit]);
  return stdout;
}

/** systemd-analyze ends with 0 for keys that it does not know: what it says counts. */
async function verifyUnit(host: Host, unit: string): Promise<void> {
  const { stdout, stderr } = await host.exec(["systemd-analyze", "--man=no", "verify", unit]);
  const said = `${stdout}\n${stderr}`.split("\n").filter((line) => line.includes("castellan"));
  expect(said).toEqual([]);
}

async function agentLines(coordinator: Host): Promise<StatusAnswer["unassigned"]> {
  const answer = JSON.parse(await castellan(coordinator, ["status", "--json"])) as StatusAnswer; // the API's own
  return [...answer.clusters.flatMap(({ nodes }) => nodes), ...answer.unassigned];
}

async function agentsConnected(coordinator: Host, names: readonly string[]): Promise<void> {
  await waitFor(
    async () => {
      const lines = await agentLines(coordinator);
      const connected = lines.filter(({ agent, database }) => {
        return agent === "connected" && database !== "unknown";
      });
      return names.every((name) => connected.some((line) => line.name === name));
    },
    { timeoutMs: 30_000, what: `the agents of ${names.join(", ")} to be connected` },
  );
}

async function agentOf(coordinator: Host, name: string, version: string): Promise<void> {
  await waitFor(
    async () =>
      (await agentLines(coordinator)).some(
        (line) => line.name === name && line.agent === "connected" && line.agentVersion === version,
      ),
    { timeoutMs: 30_000, what: `the agent of ${name} to be ${version}` },
  );
}

/** Each restart of the agent is another attempt of the step, which adopts the copy that it finds. */
async function backupAttempts(coordinator: Host): Promise<number> {
  const answer = await castellan(coordinator, ["operation", "show", "--json"]);
  const operation = JSON.parse(answer) as OperationRecord; // the API's own
  const index = operation.plan.steps.findIndex(({ kind }) => kind === "base-backup");
  return operation.steps[index]?.attempt ?? 0;
}
