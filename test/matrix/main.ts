import { writeFile } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { addNode } from "./add-node.ts";
import { everyNth, spread } from "./choose.ts";
import type { Course } from "./course.ts";
import { clusterRestart } from "./cluster-restart.ts";
import { guardTakeover } from "./guard-takeover.ts";
import { isGood, renderResult, renderSummary, renderTable, summary, type Part } from "./report.ts";
import { rebuildNode } from "./rebuild-node.ts";
import { rejoinNode } from "./rejoin-node.ts";
import { removeNode } from "./remove-node.ts";
import { revertFile } from "./revert-file.ts";
import { missingIn, sourcePoints, unreachedPoints } from "./source-points.ts";
import { strikeName, type Mode, type Product, type Strike } from "./strike.ts";
import { switchover } from "./switchover.ts";
import { createWorker } from "./worker.ts";

type Options = {
  readonly operation: Course["operation"];
  readonly product?: Product;
  readonly workers: number;
  readonly every: number;
  readonly otherEvery: number;
  readonly only?: RegExp;
  readonly mode?: Mode;
  readonly list?: boolean;
  readonly json?: boolean;
  readonly report?: string;
};

const products: readonly Product[] = ["postgresql", "kingbase-v8r3"];

const courses: Readonly<Record<Course["operation"], Course>> = {
  "add-node": addNode,
  "revert-file": revertFile,
  switchover,
  "cluster-restart": clusterRestart,
  "guard-takeover": guardTakeover,
  "rebuild-node": rebuildNode,
  "rejoin-node": rejoinNode,
  "remove-node": removeNode,
};

const options = new Command("npm run test:matrix --")
  .description(
    "Kills the coordinator and the agents at every point of an operation, and looks how it ends. As root.",
  )
  .addOption(
    new Option("--operation <name>", "the operation")
      .choices(Object.keys(courses))
      .default("add-node"),
  )
  .addOption(new Option("--product <name>", "this one only").choices([...products]))
  .option("--workers <n>", "runs at a time; each has hosts of its own", positive, 2)
  .option("--every <n>", "of the product that is struck in full only every nth run", positive, 1)
  .option("--other-every <n>", "of the other product only every nth run", positive, 4)
  .option(
    "--only <regex>",
    "runs whose name matches, such as 'srv159 step:placed.* abort'",
    pattern,
  )
  .addOption(
    new Option("--mode <mode>", "runs of this mode only").choices([
      "resume",
      "abort",
      "undo",
      "preflight",
      "power-off",
      "power-off-abort",
    ]),
  )
  .option("--list", "record, say what would be run, and end")
  .option("--report <file>", "write a table of points and modes there")
  .option("--json", "print all results as the last line; the rest goes to standard error")
  .parse()
  .opts<Options>();

const say = (line: string): void => {
  (options.json === true ? process.stderr : process.stdout).write(`${line}\n`);
};

const course = courses[options.operation];
const parts: Part[] = [];
for (const product of products) {
  if (options.product !== undefined && product !== options.product) continue;
  const isOther = options.product === undefined && product !== (course.mainProduct ?? "postgresql");
  parts.push(await runPart(product, isOther ? options.otherEvery : options.every));
}
for (const line of renderSummary(parts)) say(line);
if (options.report !== undefined) {
  const tables = parts.flatMap((part) => renderTable(part));
  await writeFile(options.report, `${[...renderSummary(parts), "", ...tables].join("\n")}\n`);
}
if (options.json === true) process.stdout.write(`${JSON.stringify(summary(parts))}\n`);
process.exitCode = parts.every(isGood) ? 0 : 1;

async function runPart(product: Product, every: number): Promise<Part> {
  const startedAt = performance.now();
  const { operation } = course;
  const first = createWorker(course, product);
  const workers = [first];
  try {
    const recording = await first.record();
    // An addition comes to nearly all of them.
    const names = course === addNode ? sourcePoints() : [];
    const missing = missingIn(names, [recording.run, recording.undo]);
    const unexplained = missing.filter((name) => unreachedPoints[name] === undefined);
    for (const name of missing)
      say(`${product}: ${name} is not reached: ${unreachedPoints[name] ?? "nobody says why"}`);
    const chosen = everyNth(course.choose(recording), every).filter(isWanted);
    say(`${product}: ${chosen.length} runs`);
    if (options.list === true) {
      for (const strike of chosen) say(`  ${strikeName(strike)}`);
      return { operation, product, unexplained, results: [], seconds: 0 };
    }
    const more = Math.min(options.workers, chosen.length) - 1;
    workers.push(...Array.from({ length: Math.max(0, more) }, () => createWorker(course, product)));
    const queue = [...spread(chosen)];
    const results: Part["results"][number][] = [];
    await Promise.all(
      workers.map(async (worker) => {
        for (let strike = queue.shift(); strike !== undefined; strike = queue.shift()) {
          results.push(await worker.run(strike));
          const last = results.at(-1);
          if (last === undefined) continue;
          for (const line of renderResult(last, results.length, chosen.length)) say(line);
        }
      }),
    );
    return { operation, product, unexplained, results, seconds: (performance.now() - startedAt) / 1000 }; // prettier-ignore
  } finally {
    for (const worker of workers) await worker[Symbol.asyncDispose]();
  }
}

function isWanted(strike: Strike): boolean {
  if (options.mode !== undefined && strike.mode !== options.mode) return false;
  return options.only === undefined || options.only.test(strikeName(strike));
}

function positive(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("a number above 0 is wanted.");
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError("a regular expression is wanted.");
  }
}
