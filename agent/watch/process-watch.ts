import { openProcess, type OpenProcess } from "../adapters/local-processes.ts";
import { pulse } from "../pulse.ts";

/** Told within a second that a process is gone: nobody tells of one that isn't our child. */
export type ProcessWatch = Disposable & {
  /** The one to watch from now on; null: none. */
  follow(pid: number | null): void;
};

const everyMs = 1_000;

export function createProcessWatch(onGone: () => void): ProcessWatch {
  let followed: OpenProcess | null = null;
  let looks: Disposable | null = null;
  const follow = (pid: number | null): void => {
    if (pid === (followed?.pid ?? null)) return;
    looks?.[Symbol.dispose]();
    followed?.[Symbol.dispose]();
    followed = pid === null ? null : openProcess(pid);
    looks = followed === null ? null : pulse(everyMs, look);
  };
  const look = (): void => {
    if (followed?.isAlive() !== false) return;
    follow(null);
    onGone();
  };
  return { follow, [Symbol.dispose]: () => follow(null) };
}
