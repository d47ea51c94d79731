const living = new Set<() => void>();
let isHooked = false;

/** Has `killNow` called when the program ends, by itself or by a signal; it must do without awaiting. */
export function onExit(killNow: () => void): void {
  if (!isHooked) {
    isHooked = true;
    const killAll = (): void => {
      for (const kill of living) kill();
      living.clear();
    };
    process.once("exit", killAll);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        killAll();
        process.kill(process.pid, signal);
      });
    }
  }
  living.add(killNow);
}

export function forgetExit(killNow: () => void): void {
  living.delete(killNow);
}
