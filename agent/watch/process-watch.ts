import { isStillAlive, liveProcess, type LocalProcess } from "../adapters/local-processes.ts";

/** Told within half a second that a process is gone: nobody tells of one that isn't our child. */
export type ProcessWatch = Disposable & {
  /** The one to watch from now on; null: none. */
  follow(pid: number | null): void;
};

/** A read of /proc costs some 20 µs. */
const everyMs = 500;

export function createProcessWatch(onGone: () => void): ProcessWatch {
  let followed: LocalProcess | null = null;
  const timer = setInterval(() => {
    if (followed === null || isStillAlive(followed)) return;
    followed = null;
    onGone();
  }, everyMs);
  return {
    follow: (pid) => {
      if (pid !== (followed?.pid ?? null)) followed = pid === null ? null : liveProcess(pid);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
