import { expect, test } from "vitest";
import type { Host } from "#test/harness/host.ts";
import { testLab } from "#test/harness/test-lab.ts";

const address = "192.168.4.200/24";

/** As root installs it, then one verb. */
async function helperOn(
  host: Host,
): Promise<(verb: string) => Promise<readonly [number | null, string]>> {
  // prettier-ignore
  const root = `${host.projectPath}/dist/castellan-root.js`;
  await host.exec([
    ...[host.nodePath, root, "install", "--user", "postgres", "--product", "postgresql"],
    ...["--bin-dir", "/usr/lib/postgresql/15/bin", "--node", host.nodePath],
    ...["--virtual-address", address, "--nic", "eth0"],
    ...["--lib-dir", "/opt/castellan-root"],
  ]);
  return async (verb) => {
    const { exitCode, stdout, stderr } = await host.exec([host.nodePath, root, verb], {
      reject: false,
    });
    return [exitCode, `${stdout}${stderr}`.trim()];
  };
}

test("the address is added where nobody answers for it, announced, found twice, and taken off", async () => {
  const lab = await testLab({
    hosts: [
      { name: "srv127", address: "192.168.4.127" },
      { name: "srv129", address: "192.168.4.129" },
    ],
  });
  const [one, two] = [lab.host("srv127"), lab.host("srv129")];
  const [onOne, onTwo] = [await helperOn(one), await helperOn(two)];
  expect(await onOne("vip-status")).toEqual([0, "not here"]);
  expect(await onOne("vip-probe")).toEqual([0, "free"]);
  expect(await onOne("vip-add")).toEqual([0, "added"]);
  expect(await onOne("vip-add")).toEqual([0, "here already, announced"]);
  expect(await onOne("vip-status")).toEqual([0, "here"]);
  const { stdout } = await one.exec(["ip", "-4", "addr", "show", "dev", "eth0"]);
  expect(stdout).toContain(`inet ${address} scope global secondary eth0:2`);
  await two.exec(["ping", "-c1", "-W1", "192.168.4.200"]);

  const [status, said] = await onTwo("vip-add");
  expect(status).toBe(10);
  expect(said).toMatch(/192\.168\.4\.200\/24 is taken: [0-9a-f:]{17} answers for it on eth0/);
  expect(await onTwo("vip-status")).toEqual([0, "not here"]);
  expect(await onOne("vip-probe")).toEqual([0, "free"]);
  await two.exec(["ip", "addr", "add", address, "dev", "eth0"]);
  expect(await onOne("vip-probe")).toEqual([0, expect.stringMatching(/^taken [0-9a-f:]{17}$/)]);

  expect(await onTwo("vip-drop")).toEqual([0, "dropped"]);
  expect(await onTwo("vip-drop")).toEqual([0, "not here"]);
  expect(await onOne("vip-drop")).toEqual([0, "dropped"]);
  expect(await onOne("vip-probe")).toEqual([0, "free"]);

  await one.exec(["ip", "link", "set", "eth0", "down"]);
  const [, whileDown] = await onOne("vip-add");
  expect(whileDown).toContain("eth0 has no carrier");
  expect(await onOne("vip-status")).toEqual([0, "not here"]);
});

test("it is found and taken off with whatever mask, and wherever on this host it is", async () => {
  const lab = await testLab({ hosts: [{ name: "srv127", address: "192.168.4.127" }] });
  const host = lab.host("srv127");
  const ask = await helperOn(host);
  await host.exec(["ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth2"]);
  await host.exec(["ip", "link", "set", "eth1", "up"]);
  for (const place of [
    ["192.168.4.200/32", "dev", "eth0"],
    [address, "dev", "eth1"],
  ]) {
    await host.exec(["ip", "addr", "add", ...place]);
    expect(await ask("vip-status")).toEqual([0, "here"]);
  }
  expect(await ask("vip-drop")).toEqual([0, "dropped"]);
  expect((await host.exec(["ip", "-4", "addr"])).stdout).not.toContain("192.168.4.200");
});

test("an interface that hears nothing can't say that nobody has it", async () => {
  const lab = await testLab({
    hosts: [
      { name: "srv127", address: "192.168.4.127" },
      { name: "srv129", address: "192.168.4.129" },
    ],
  });
  const ask = await helperOn(lab.host("srv127"));
  await lab.host("srv129").exec(["ip", "addr", "add", address, "dev", "eth0"]);
  await lab.host("srv127").cutLink();
  const [status, said] = await ask("vip-add");
  expect(said).toContain("eth0 has no carrier");
  expect(status).toBe(13);
  expect(await ask("vip-status")).toEqual([0, "not here"]);
});
