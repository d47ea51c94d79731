import { symlink } from "node:fs/promises";
import type { Host } from "./host.ts";
import { waitFor } from "./wait-for.ts";

/** Units of the distribution that a host of the test bed must not start. */
const masked = [
  "apt-daily.timer",
  "apt-daily-upgrade.timer",
  "console-getty.service",
  "cron.service",
  "dpkg-db-backup.timer",
  "e2scrub_all.timer",
  "e2scrub_reap.service",
  "etcd.service",
  "fstrim.timer",
  "getty.target",
  "man-db.timer",
  "patroni.service",
  "pgpool2.service",
  "postgresql.service",
  "ssh.service",
  "systemd-logind.service",
  "systemd-networkd.service",
  "systemd-resolved.service",
  "systemd-timesyncd.service",
];

/**
 * Boots a host of a lab (namespaces mode) with real systemd as PID 1, on its own disk and network, and
 * waits until it is `running`. `multi-user.target` is booted, so an enabled unit comes up by itself; units are
 * installed by writing to /etc/systemd/system. A host that is on is powered off first. Everything of Host works as
 * before; `host.powerOff()` is a power loss, and `host.boot("systemd")` boots it again.
 */
export async function bootSystemdHost(host: Host): Promise<void> {
  if (host.isUp()) await host.powerOff();
  const units = "/etc/systemd/system";
  await Promise.all(
    masked.map((unit) => symlink("/dev/null", host.path(`${units}/${unit}`)).catch(alreadyThere)),
  );
  await host.writeFile("/etc/machine-id", "");
  await host.boot("systemd");
  await systemdRunning(host);
}

/** Waits until systemd has booted; `degraded` names the units that failed. */
export async function systemdRunning(host: Host): Promise<void> {
  const state = await waitFor(
    async () => {
      const argv = ["systemctl", "is-system-running"];
      const { stdout } = await host.exec(argv, { reject: false, timeoutMs: 5000 });
      return /^(running|degraded)$/.test(stdout) && stdout;
    },
    { timeoutMs: 30_000, what: `systemd of ${host.name} to be running` },
  );
  if (state === "running") return;
  const { stdout } = await host.exec(["systemctl", "--failed", "--no-legend", "--plain"]);
  throw new Error(`systemd of ${host.name} is degraded:\n${stdout}`);
}

function alreadyThere(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
}
