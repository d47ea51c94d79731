import { Command, InvalidArgumentError, Option } from "commander";
import { benchAddNode, type AddNodeBenchOptions } from "./add-node/bench.ts";
import { benchCycles, type CyclesBenchOptions } from "./cycles/bench.ts";
import { benchDrift, type DriftBenchOptions } from "./drift/bench.ts";
import { benchFailover, type FailoverBenchOptions } from "./failover/bench.ts";
import { benchGuard, guardRows, type GuardBenchOptions, type GuardRow } from "./guard/bench.ts";
import { benchIdle } from "./idle/bench.ts";
import { benchSwitchover, type SwitchoverBenchOptions } from "./switchover/bench.ts";

/** With --json the report goes to standard error: the last line is all of standard output. */
type Output = { readonly json?: boolean };

const program = new Command("npm run bench --").description(
  "Measures Castellan on hosts made for it. As root: the hosts are network namespaces.",
);

program
  .command("add-node")
  .description("time to a streaming standby, beside the same done by hand in the same run")
  .option("--sizes <MiB,…>", "sizes of the database", numbers, [200, 2048])
  .option("--rounds <n>", "rounds of each row; each does both, one after the other", positive, 5)
  .addOption(
    new Option("--load <which>", "with no client, with about 500 small writes/s, or both")
      .choices(["idle", "writes", "both"])
      .default("both"),
  )
  .option("--pool-rounds <n>", "rounds with registration on two pools, at 200 MiB", count, 3)
  .option("--verify-rounds <n>", "rounds of each level of --verify, at 200 MiB", count, 3)
  .option("--steps", "show how long each step of a row's slowest round took")
  .option("--json", "print the figures as the last line")
  .action(async (options: Output & Omit<AddNodeBenchOptions, "say">) => {
    print(options, await benchAddNode({ ...options, say: sayTo(options) }));
  });

program
  .command("idle")
  .description("what idle agents, two of them with a pool, and their coordinator cost")
  .option("--seconds <n>", "how long to look on", positive, 60)
  .option("--json", "print the figures as the last line")
  .action(async (options: Output & { seconds: number }) => {
    print(options, await benchIdle({ ...options, say: sayTo(options) }));
  });

program
  .command("cycles")
  .description(
    "memory, descriptors and journal over many additions that are aborted, or removed again",
  )
  .option("--cycles <n>", "additions that count", positive, 30)
  .option("--warm-up <n>", "additions before the first one that counts", count, 30)
  .option("--settle-seconds <n>", "pause before each look", positive, 1)
  .option("--remove", "let each addition end, and remove the node again, while clients write")
  .option("--json", "print the figures as the last line")
  .action(async (options: Output & Omit<CyclesBenchOptions, "say">) => {
    print(options, await benchCycles({ ...options, say: sayTo(options) }));
  });

program
  .command("drift")
  .description("from the write of a watched file to its alert at a webhook; what watching costs")
  .option("--changes <n>", "changes one by one", positive, 1000)
  .option("--down-seconds <n>", "how long the coordinator is down", positive, 60)
  .option("--json", "print the figures as the last line")
  .action(async (options: Output & Omit<DriftBenchOptions, "say">) => {
    print(options, await benchDrift({ ...options, say: sayTo(options) }));
  });

program
  .command("guard")
  .description("from what happens to a node until its guard has told or mended it; crond beside it")
  .option("--rounds <n>", "rounds of each row", positive, 30)
  .option("--cron-rounds <n>", "rounds of the re-point with the vendor's way", positive, 5)
  .option("--only <rows>", `some of ${guardRows.join(",")}`, rowsOfGuard, [])
  .option("--json", "print the figures as the last line")
  .action(async (options: Output & Omit<GuardBenchOptions, "say">) => {
    print(options, await benchGuard({ ...options, say: sayTo(options) }));
  });

program
  .command("switchover")
  .description("how long nobody can write through the pool while another node becomes the primary")
  .option("--rounds <n>", "switchovers of each product", positive, 30)
  .option("--json", "print the figures as the last line")
  .action(async (options: Output & Omit<SwitchoverBenchOptions, "say">) => {
    print(options, await benchSwitchover({ ...options, say: sayTo(options) }));
  });

program
  .command("failover")
  .description(
    "from the kill of the primary until the pool takes writes again, and until all is redundant",
  )
  .option(
    "--rounds <n>",
    "killed primaries, with asynchronous and with synchronous commits",
    positive,
    20,
  )
  .option("--json", "print the figures as the last line")
  .action(async (options: Output & Omit<FailoverBenchOptions, "say">) => {
    print(options, await benchFailover({ ...options, say: sayTo(options) }));
  });

await program.parseAsync();

function print({ json }: Output, result: { readonly ok: boolean }): void {
  if (json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exitCode = result.ok ? 0 : 1;
}

function sayTo({ json }: Output): (line: string) => void {
  const stream = json === true ? process.stderr : process.stdout;
  return (line) => {
    stream.write(`${line}\n`);
  };
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0) return number;
  throw new InvalidArgumentError("a whole number is wanted.");
}

function positive(text: string): number {
  const number = count(text);
  if (number > 0) return number;
  throw new InvalidArgumentError("a number above 0 is wanted.");
}

function rowsOfGuard(text: string): GuardRow[] {
  return text.split(",").map((name) => {
    const row = guardRows.find((one) => one === name);
    if (row === undefined) throw new InvalidArgumentError(`known are ${guardRows.join(", ")}.`);
    return row;
  });
}

function numbers(text: string): number[] {
  return text.split(",").map(positive);
}
