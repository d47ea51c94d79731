import { openProcess, type OpenProcess } from "../adapters/local-processes.ts";

/** Told within half a second that a process is gone: nobody tells of one that isn't our child. */
export type ProcessWatch = Disposable & {
  /** The one to watch from now on; null: none. */
  follow(pid: number | null): void;
};

const everyMs = 500;

export function createProcessWatch(onGone: () => void): ProcessWatch {
  let followed: OpenProcess | null = null;
  let timer: NodeJS.Timeout | undefined;
  const follow = (pid: number | null): void => {
    if (pid === (followed?.pid ?? null)) return;
    clearInterval(timer);
    followed?.[Symbol.dispose]();
    followed = pid === null ? null : openProcess(pid);
    if (followed !== null) timer = setInterval(look, everyMs);
  };
  const look = (): void => {
    if (followed?.isAlive() !== false) return;
    follow(null);
    onGone();
  };
  return { follow, [Symbol.dispose]: () => follow(null) };
}
