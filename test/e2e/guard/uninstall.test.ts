import { expect, test } from "vitest";
import { testLab } from "#test/harness/test-lab.ts";

const cronFile = "/etc/cron.d/KINGBASECRON";
const lines = `*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh
*/1 * * * * root  /home/kingbase/cluster/ESHA/kingbasecluster/bin/restartcluster.sh
`;

test("castellan-root stays on a host until it has given the vendor's lines back, then takes all of its own away", async () => {
  const lab = await testLab({ hosts: [{ name: "srv127", address: "192.168.4.127" }] });
  const host = lab.host("srv127");
  await host.writeFile(cronFile, lines, { mode: 0o644 });
  const castellanRoot = async (...args: string[]) => {
    const argv = [host.nodePath, `${host.projectPath}/dist/castellan-root.js`, ...args];
    const { exitCode, stdout, stderr } = await host.exec(argv, { reject: false });
    return [exitCode, `${stdout}${stderr}`.trim()];
  };
  const install = ["--product", "kingbase-v8r3", "--user", "kingbase", "--node", host.nodePath];
  const root = ["--root", "/home/kingbase/cluster/ESHA"];
  expect((await castellanRoot("install", ...install, ...root))[0]).toBe(0);
  expect((await castellanRoot("cron-comment"))[0]).toBe(0);

  expect(await castellanRoot("uninstall")).toEqual([
    10,
    `castellan-root: the vendor's network-rewind and restart-cluster lines are commented by Castellan, and would stay so
Give them back first: castellan guard handback CLUSTER, or on this host, as the agent's user, castellan-agent uninstall.`,
  ]);
  expect(await castellanRoot("verbs")).toEqual([0, expect.stringContaining("cron-restore")]);

  expect((await castellanRoot("cron-restore"))[0]).toBe(0);
  expect(await host.readFile(cronFile)).toBe(lines);
  expect(await castellanRoot("uninstall", "now")).toEqual([
    2,
    expect.stringContaining("usage: castellan-root uninstall [--lib-dir DIR]"),
  ]);
  expect(await castellanRoot("uninstall")).toEqual([
    0,
    `removed /etc/sudoers.d/castellan
removed /etc/castellan/root-helper.json
removed /usr/local/lib/castellan/castellan-root.mjs
removed /var/lib/castellan-root`,
  ]);
  expect(await castellanRoot("uninstall")).toEqual([0, "nothing of ours"]);
});
