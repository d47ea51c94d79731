import { readFile } from "node:fs/promises";

/** What a process has used so far, from proc(5). */
export type ProcessCost = {
  readonly rssBytes: number;
  /** User and system time of the process itself, and of children that have ended. */
  readonly ownMs: number;
  readonly childrenMs: number;
};

/** USER_HZ: 100 on every Linux that Node runs on (proc(5), times(2)). */
const tickMs = 10;

export async function processCost(pid: number): Promise<ProcessCost> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // Counted from field 3: utime 14, stime 15, cutime 16, cstime 17.
  const ticks = (field: number): number => Number(fields[field - 3]);
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return {
    rssBytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024,
    ownMs: (ticks(14) + ticks(15)) * tickMs,
    childrenMs: (ticks(16) + ticks(17)) * tickMs,
  };
}
