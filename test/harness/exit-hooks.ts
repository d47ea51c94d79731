const living = new Set<() => void>();
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
let isHooked = false;
/** Who would rather clean up in peace than have the program end at once. */
let interrupted: (() => void) | null = null;

/** Has `killNow` called when the program ends, by itself or by a signal; it must do without awaiting. */
export function onExit(killNow: () => void): void {
  if (!isHooked) {
    isHooked = true;
    process.once("exit", killAll);
    for (const signal of signals) process.on(signal, endBySignal);
  }
  living.add(killNow);
}

export function forgetExit(killNow: () => void): void {
  living.delete(killNow);
}

/** Ends with the next signal, which ends nothing else; the one after it ends the program. */
export function untilInterrupted(): Promise<void> {
  return new Promise((resolve) => {
    // A promise alone keeps no program alive.
    const timer = setInterval(() => undefined, 60_000);
    interrupted = () => {
      clearInterval(timer);
      resolve();
    };
  });
}

function endBySignal(signal: NodeJS.Signals): void {
  if (interrupted !== null) {
    interrupted();
    interrupted = null;
    return;
  }
  killAll();
  for (const name of signals) process.off(name, endBySignal);
  process.kill(process.pid, signal);
}

function killAll(): void {
  for (const kill of living) kill();
  living.clear();
}
