import { expect, test } from "vitest";
import { licenceCheck } from "#agent/checks/licence-check.ts";
import type { CheckResult } from "#agent/checks/check.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { clusterNodeSettings, createNodePorts, ownHosts } from "../../agent-observe/node-ports.ts";

test("F23: the licence is told by its file and, where the server says, by the days that it is good for", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "kingbase-v8r3", nodes: ["srv127"] });
  await using node = await createNodePorts({
    settings: clusterNodeSettings(cluster, "srv127"),
    databasePassword: cluster.passwords.superuser,
  });
  const check = licenceCheck(node.ports);
  const run = (): Promise<CheckResult | undefined> =>
    check?.run(new AbortController().signal) ?? Promise.resolve(undefined);
  const file = `${cluster.node("srv127").paths.root}/license.dat`;

  const unknown = await run();
  expect(unknown?.severity).toBe(null);
  expect(unknown?.text).toContain(`${file} is there; its end is not known: `);
  expect(unknown?.text).toContain("get_license_validdays() does not exist");

  for (const [days, severity, text] of [
    [90, null, "is good for 90 more days"],
    [29, "warning", "is good for 29 more days"],
    [6, "critical", "is good for 6 more days"],
    [0, "critical", "is good for 0 more days"],
    [-2, null, "is good for ever"],
    [-7, null, "its end is not known: the server says -7"],
  ] as const) {
    const body = `create or replace function get_license_validdays() returns int language sql as 'select ${days}'`;
    await cluster.sql("srv127", body);
    const found = await run();
    expect(found?.text).toContain(text);
    expect(found?.severity).toBe(severity);
  }

  await lab.host("srv127").exec(["rm", file]);
  expect(await run()).toMatchObject({
    severity: "warning",
    text: expect.stringContaining("is missing"),
  });
});
