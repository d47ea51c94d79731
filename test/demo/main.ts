import { userInfo } from "node:os";
import { Command, Option } from "commander";
import type { ProductId } from "#shared/domain/cluster.ts";
import { runDemo } from "./run-demo.ts";

const program = new Command("npm run demo --")
  .description(
    "Adds srv159 to a running cluster ESHA under load, on hosts made for it, and proves it.",
  )
  .addOption(
    new Option("--product <product>", "kingbase-v8r3 (emulated on PostgreSQL 10) or postgresql")
      .choices(["kingbase-v8r3", "postgresql"])
      .default("kingbase-v8r3"),
  )
  .option("--size <MiB>", "data to copy besides the small tables", Number, 100)
  .option("--readers <n>", "reading sessions through the pool", Number, 16)
  .option("--keep", "leave the cluster to play with, and say how")
  .option("--json", "print the figures as the last line")
  .parse();
const options = program.opts<{
  product: ProductId;
  size: number;
  readers: number;
  keep?: boolean;
  json?: boolean;
}>();

await runDemo({
  product: options.product,
  sizeMb: options.size,
  readers: options.readers,
  keep: options.keep === true,
  isRoot: userInfo().uid === 0,
  // With --json the report goes to standard error, so that the last line is all of standard output.
  say: (line) => (options.json === true ? process.stderr : process.stdout).write(`${line}\n`),
  report: (result) => {
    if (options.json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
    process.exitCode = result.ok ? 0 : 1;
  },
});
