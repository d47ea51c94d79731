import v8 from "node:v8";
import { runInNewContext } from "node:vm";

export type SmallHeap = Disposable & {
  /** Gives back what work has needed, as soon as there has been none for a moment. */
  collectSoon(): void;
};

const quietMs = 2_000;

/**
 * An agent shares its host with a database: it trades speed for memory. What starting needed (parsed
 * schemas, compiled code) is given back once, after `ms`; V8 alone would keep twice as much for minutes.
 */
export function keepHeapSmall(ms: number, collect: () => void = collectGarbage): SmallHeap {
  v8.setFlagsFromString("--optimize-for-size");
  let timer: NodeJS.Timeout | undefined;
  const collectIn = (delayMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(collect, delayMs);
    timer.unref();
  };
  collectIn(ms);
  return {
    collectSoon: () => collectIn(quietMs),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

let gc: unknown = null;

function collectGarbage(): void {
  v8.setFlagsFromString("--expose-gc");
  gc ??= runInNewContext("gc");
  if (typeof gc === "function") gc();
}
