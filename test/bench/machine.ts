import { cpus, loadavg, release, totalmem } from "node:os";
import { execa } from "execa";
import { version } from "#shared/version.ts";
import { clientBin } from "#test/harness/postgres.ts";
import { round } from "./spread.ts";

/** What the figures were measured on: without it they mean nothing. */
export type Machine = {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly postgresql: string;
  readonly castellan: string;
  readonly measuredAt: string;
  /** Of the minute before: other work on the machine shows here. */
  readonly loadAverage: number;
};

export async function describeMachine(): Promise<Machine> {
  const { stdout } = await execa(`${clientBin}/postgres`, ["--version"]);
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: round(totalmem() / 1024 ** 3, 1),
    kernel: release(),
    node: process.version,
    postgresql: stdout.replace(/^postgres \(PostgreSQL\) /, ""),
    castellan: version,
    measuredAt: new Date().toISOString(),
    loadAverage: round(loadavg()[0] ?? 0, 2),
  };
}

export function renderMachine(machine: Machine): string {
  const { processor, cores, memoryGiB, kernel, node, postgresql, loadAverage } = machine;
  return `${processor}, ${cores} cores, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}, PostgreSQL ${postgresql}, load average ${loadAverage}`;
}
