import { readFile } from "node:fs/promises";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { Host, HostProcess } from "#test/harness/host.ts";
import { cronFile } from "#test/harness/kingbase/ha-module.ts";
import { projectRoot } from "#test/harness/project-root.ts";

/** Puts the re-implemented checks in the vendor's places of a node, with its cron lines active. */
export async function installVendorCron(cluster: TestCluster, name: string): Promise<void> {
  const { host, paths } = cluster.node(name);
  const owner = cluster.lane.osUser;
  const pool = cluster.pools?.nodes.find((one) => one.name === name);
  const places: readonly (readonly [script: string, folder: string])[] = [
    ["network_rewind.sh", paths.binDir],
    ...(pool === undefined ? [] : [["restartcluster.sh", `${paths.root}/kingbasecluster/bin`] as const]), // prettier-ignore
  ];
  for (const [script, folder] of places) {
    const text = await readFile(`${projectRoot()}/test/vendor-cron/${script}`, "utf8");
    await host.writeFile(`${folder}/${script}`, text, { owner, mode: 0o755 });
  }
  await host.writeFile(
    "/etc/sudoers.d/vendor-cron",
    `${owner} ALL=(root) NOPASSWD: /sbin/ip, /usr/bin/arping, /usr/sbin/arping\n`,
    { mode: 0o440 },
  );
  const lines = cronFile(paths.root, owner, { isManagement: pool !== undefined, active: true });
  await host.writeFile("/etc/cron.d/KINGBASECRON", lines, { mode: 0o644 });
}

/** Debian's crond, in the foreground of this host alone. */
export async function startCrond(host: Host): Promise<HostProcess> {
  await host.exec(["rm", "-f", "/etc/crontab"]);
  return host.spawn(["/usr/sbin/cron", "-f"]);
}
