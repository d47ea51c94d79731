import { execa } from "execa";
import type { Log } from "#shared/log.ts";

export type SystemdOptions = {
  /** NOTIFY_SOCKET; null when systemd did not start us. */
  readonly socket: string | null;
  /** WATCHDOG_USEC in ms; null without a watchdog. */
  readonly watchdogMs: number | null;
  readonly log: Log;
};

export type Systemd = Disposable & {
  ready(status: string): void;
  stopping(): void;
};

/** Tells systemd how we are, by its own `systemd-notify` (Node has no datagram sockets). Outside systemd: nothing. */
export function createSystemd({ socket, watchdogMs, log }: SystemdOptions): Systemd {
  let timer: NodeJS.Timeout | undefined;
  let hasFailed = false;
  const notify = (...args: string[]): void => {
    if (socket === null) return;
    const sent = execa("systemd-notify", args, {
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", NOTIFY_SOCKET: socket },
      extendEnv: false,
      timeout: 5_000,
      reject: false,
      stdio: "ignore",
    });
    void sent.then(({ failed, message }) => {
      if (failed && !hasFailed)
        log.error({ reason: message }, "systemd can't be told that we live.");
      hasFailed = failed;
    });
  };
  return {
    ready: (status) => {
      notify("--ready", `--status=${status}`);
      if (watchdogMs === null) return;
      // A third: one lost message must not get us killed.
      timer = setInterval(() => notify("WATCHDOG=1"), Math.max(500, watchdogMs / 3));
    },
    stopping: () => notify("--no-block", "STOPPING=1"),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
