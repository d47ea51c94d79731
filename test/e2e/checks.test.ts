import { expect, test } from "vitest";
import type { ChecksAnswer } from "#coordinator/api/contract.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import type { CheckFacts } from "#shared/domain/facts.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { startDriftBed } from "./support/drift-bed.ts";

const config = "/etc/castellan/agent.yaml";
/** A schedule, and then the ten seconds for which facts may hold the times of checks back. */
const soon = { timeoutMs: 60_000, intervalMs: 100 };

test("the checks of agent.yaml, built-in or the site's own, are shown and told as alerts with a life", async () => {
  await using bed = await startDriftBed();
  const { castellan, host, paths } = bed;
  const plugin = "/srv/plugins/check_backup";
  await host.makeDirectory("/srv/plugins", { mode: 0o755 });
  const backup = async (text: string): Promise<void> => {
    await host.writeFile(plugin, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  };
  await backup("echo 'last backup 3 days ago | age=259200'; exit 2");
  const settings = await host.readFile(config);
  await host.writeFile(
    config,
    settings
      .replace(/^ {2}programs:$/m, "  programs:\n    - /srv/plugins")
      .replace(/^ {4}trust: .*$/m, '    trust: "*/2 * * * * *"')
      .replace(/^ {4}disk: .*$/m, '    disk: "*/2 * * * * *"')
      .replace(/^ {4}clock: .*$/m, '    clock: "*/2 * * * * *"')
      .replace(
        /^ {2}trustAddresses: .*$/m,
        '  trustAddresses: ["192.168.4.1", "192.168.4.77", "nobody.invalid"]',
      ) // prettier-ignore
      .replace(
        /^ {2}checks: .*$/m,
        `  checks:
    - { name: backup, schedule: "*/2 * * * * *", program: ${plugin} }
    - { name: tables, schedule: "*/2 * * * * *", sql: "select count(*) from pg_class", warning: "> 5" }`,
      ),
  );
  await castellan.killAgent("srv127");
  await castellan.startAgent("srv127");
  await castellan.connected(["srv127"]);

  const alert = (name: string) => bed.alertOf(`node:srv127:check:${name}`);
  const stands = (name: string) => waitFor(() => alert(name), { ...soon, what: `check:${name}` });
  expect(await stands("backup")).toMatchObject({
    severity: "critical",
    summary: "check backup: last backup 3 days ago",
  });
  expect((await stands("tables")).summary).toMatch(/^check tables: \d+ \(warning > 5\)$/);
  const trust = await stands("trust");
  expect(trust.severity).toBe("warning");
  expect(trust.summary).toContain("192.168.4.77 is silent");
  expect(trust.summary).toContain("the name nobody.invalid can't be resolved; 1 of 3 answer");
  expect(await alert("disk")).toBe(undefined);

  const check = async (node: string, name: string): Promise<CheckFacts | undefined> => {
    const { nodes } = await castellan.json<ChecksAnswer>(["check", "list", node]);
    expect(nodes.map((one) => one.node)).toEqual([node]);
    return nodes[0]?.checks.find((one) => one.name === name);
  };
  const ran = await waitFor(async () => {
    const found = await check("srv127", "backup");
    return found?.lastRunAt != null && found;
  }, soon);
  expect(ran).toMatchObject({
    schedule: "*/2 * * * * *",
    severity: "critical",
    lastResult: "last backup 3 days ago",
    perfdata: "age=259200",
  });
  expect(ran.nextRunAt).toBeGreaterThan(ran.lastRunAt ?? 0);
  const disk = await check("srv127", "disk");
  expect(disk).toMatchObject({ severity: null, lastResult: `written, synced and read: ${paths.dataDir}` }); // prettier-ignore
  const clock = await waitFor(async () => {
    const found = await check("srv129", "clock");
    return found?.lastRunAt != null && found;
  }, { ...soon, timeoutMs: 120_000 }); // prettier-ignore
  expect(clock.severity).toBe(null);
  expect(clock.lastResult).toMatch(/^coordinator [+-]\d\.\d s, upstream [+-]0\.\d s$/);
  const { stdout } = await castellan.cli(["check", "list", bed.cluster.name]);
  expect(stdout).toMatch(/^srv127 +backup .* critical +last backup 3 days ago$/m);
  expect(stdout).toMatch(/^srv129 +rehash .* nothing +/m);
  expect((await castellan.cli(["check", "list", "nowhere"], { reject: false })).exitCode).toBe(8);

  // As any other alert: acknowledged by a person, over when it is over.
  const { id } = await stands("backup");
  await castellan.cli(["alert", "ack", String(id)]);
  await backup("echo 'last backup an hour ago'");
  const resolved = await waitFor(async () => {
    const all = await castellan.json<readonly AlertRecord[]>(["alert", "list", "--all"]);
    return all.find((one) => one.id === id && one.state === "resolved");
  }, soon);
  expect(resolved.acknowledgedAt).not.toBe(null);
});
