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
  let timer: NodeJS.Timeout | undefined;
  const follow = (pid: number | null): void => {
    if (pid === (followed?.pid ?? null)) return;
    followed = pid === null ? null : liveProcess(pid);
    clearInterval(timer);
    if (followed !== null) timer = setInterval(look, everyMs);
  };
  const look = (): void => {
    if (followed === null || isStillAlive(followed)) return;
    follow(null);
    onGone();
  };
  return { follow, [Symbol.dispose]: () => clearInterval(timer) };
}
