import { readFile } from "node:fs/promises";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import { cronFile } from "#test/harness/kingbase/ha-module.ts";
import { descendants } from "#test/harness/processes.ts";
import { projectRoot } from "#test/harness/project-root.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** Puts the re-implemented checks in the vendor's places of every node, with its cron lines active. */
export async function installVendorCron(cluster: TestCluster): Promise<void> {
  for (const node of cluster.nodes) await install(cluster, node);
}

async function install(
  { lane: { osUser: owner } }: TestCluster,
  { host, paths }: ClusterNode,
): Promise<void> {
  const places = {
    "network_rewind.sh": paths.binDir,
    "restartcluster.sh": `${paths.root}/kingbasecluster/bin`,
  };
  for (const [script, folder] of Object.entries(places)) {
    const text = await readFile(`${projectRoot()}/test/vendor-cron/${script}`, "utf8");
    await host.writeFile(`${folder}/${script}`, text, { owner, mode: 0o755 });
  }
  await host.writeFile(
    "/etc/sudoers.d/vendor-cron",
    `${owner} ALL=(root) NOPASSWD: /sbin/ip, /usr/bin/arping, /usr/sbin/arping\n`,
    { mode: 0o440 },
  );
  const lines = cronFile(paths.root, owner, { isManagement: true, active: true });
  await host.writeFile("/etc/cron.d/KINGBASECRON", lines, { mode: 0o644 });
}

export type Crond = {
  /** When none of its scripts runs. */
  stop(): Promise<void>;
};

/** Debian's crond, in the foreground of this host alone. */
export async function startCrond({ host }: ClusterNode): Promise<Crond> {
  await host.exec(["rm", "-f", "/etc/crontab"]);
  const crond = await host.spawn(["/usr/sbin/cron", "-f"]);
  return {
    stop: async () => {
      await waitFor(() => descendants(crond.pid).length === 0, {
        timeoutMs: 240_000,
        what: `no script of ${host.name}'s crond to run`,
      });
      crond.kill("SIGTERM");
      await crond.exited;
    },
  };
}

/** The newest run of the check on a standby has ended as it does when all is well. */
export async function hasEndedWell({ host, paths }: ClusterNode): Promise<boolean> {
  const log = await host.readFile(`${paths.root}/log/recovery.log`).catch(() => ""); // no run yet
  const last = log.trimEnd().split("\n").at(-1) ?? "";
  return /ALL NODES ARE UP STATUS!|recovery success/.test(last);
}
