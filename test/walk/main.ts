import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import type { ProductId } from "#shared/domain/cluster.ts";
import { runSeed, type WalkResult } from "./run-seed.ts";
import { table } from "./summary.ts";

type Options = {
  readonly seeds: number;
  readonly seed?: number;
  readonly from: number;
  readonly product?: ProductId;
  readonly workers: number;
  readonly minutes?: number;
  readonly json?: boolean;
  readonly report?: string;
};

const program = new Command("npm run test:walk --")
  .description(
    "Adds a node under load while faults happen at moments drawn from a seed: it ends added, or as before.",
  )
  .option("--seeds <n>", "how many fixed seeds", positive, 60)
  .option("--from <seed>", "the first of them", positive, 1)
  .option("--seed <seed>", "this one alone", positive)
  .addOption(
    new Option(
      "--product <product>",
      "for all of them (default: every fourth on KingbaseES)",
    ).choices(["kingbase-v8r3", "postgresql"]),
  )
  .option("--workers <n>", "walks side by side", positive, 2)
  .option("--minutes <n>", "begin no walk after so many minutes", positive)
  .option("--json", "print the results as the last line")
  .option("--report <file>", "write the summary there, too")
  .parse();
const options = program.opts<Options>();
// With --json the diary goes to standard error, so that the last line is all of standard output.
const say = (line: string): void => {
  (options.json === true ? process.stderr : process.stdout).write(`${line}\n`);
};

const seeds =
  options.seed === undefined
    ? Array.from({ length: options.seeds }, (_, index) => options.from + index)
    : [options.seed];
const began = Date.now();
const results: WalkResult[] = [];
const waiting = [...seeds];
const worker = async (): Promise<void> => {
  for (;;) {
    const isLate = options.minutes !== undefined && Date.now() - began > options.minutes * 60_000;
    const seed = isLate ? undefined : waiting.shift();
    if (seed === undefined) return;
    const result = await runSeed(seed, options.product ?? null, say);
    results.push(result);
    if (!result.ok) {
      const product = options.product === undefined ? "" : ` --product ${options.product}`;
      say(
        `reproduce: npm run test:walk -- --seed ${seed}${product}   (kept: ${result.folder ?? ""})`,
      );
    }
  }
};
await Promise.all(Array.from({ length: Math.min(options.workers, seeds.length) }, worker));

results.sort((a, b) => a.seed - b.seed);
const lines = table(results, (Date.now() - began) / 1000);
for (const line of lines) say(line);
if (options.report !== undefined) writeFileSync(options.report, `${lines.join("\n")}\n`);
if (options.json === true) process.stdout.write(`${JSON.stringify(results)}\n`);
process.exitCode = results.every(({ ok }) => ok) && waiting.length === 0 ? 0 : 1;

function positive(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("a whole number above 0 is wanted.");
}
