import v8 from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * An agent shares its host with a database: it trades speed for memory. What starting needed (parsed
 * schemas, compiled code) is given back once, after `ms`; V8 alone would keep twice as much for minutes.
 */
export function keepHeapSmall(ms: number): Disposable {
  v8.setFlagsFromString("--optimize-for-size");
  const timer = setTimeout(() => {
    v8.setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    if (typeof collect === "function") collect();
  }, ms);
  timer.unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
