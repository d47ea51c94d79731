import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { waitFor } from "#test/harness/wait-for.ts";
import { randomOf } from "#test/walk/random.ts";
import { createBed, holdAddress, nodes, primary, standbys } from "./bed.ts";
import { stalls } from "./stalls.ts";
import { isWhole, watch } from "./watch.ts";

const {
  minutes,
  seed,
  harm: isHarmed,
} = new Command("npm run soak --")
  .description(
    "Guards in charge of a healthy cluster that stalls at random: they do no harm. Exit status 0 only then.",
  )
  .option("--minutes <n>", "how long", positive, 30)
  .option("--seed <n>", "of the stalls", positive, 1)
  .option(
    "--harm",
    "give one standby the virtual address half-way and restart the other: the verdict has to be that of harm",
  )
  .parse()
  .opts<{ readonly minutes: number; readonly seed: number; readonly harm?: true }>();

const say = (line: string): void => void process.stderr.write(`${line}\n`);
await using bed = await createBed();
const random = randomOf(seed);
const watching = await watch(bed);
const endsAt = performance.now() + minutes * 60_000;
const inflicted: Record<string, number> = {};
const kinds = Object.entries(stalls).map(([kind, stall]) => ({ kind, ...stall }));
say(`the guards are in charge; ${minutes} minutes of stalls, seed ${seed}`);

/** One after the other: each is short, and the cluster is healthy between them. */
async function stallAll(): Promise<void> {
  while (performance.now() < endsAt) {
    const { kind, inflict } = random.weighted(kinds);
    const what = await inflict(bed, random.pick(nodes), random).catch(String);
    inflicted[kind] = (inflicted[kind] ?? 0) + 1;
    say(`${new Date().toISOString()} ${kind} ${what}`);
    await sleep(random.between(200, 3_000));
  }
}

/** So that there is WAL to send, to sync and to lag behind with. */
async function writeAll(): Promise<void> {
  while (performance.now() < endsAt) {
    await bed.cluster
      .sql(
        primary,
        "INSERT INTO ledger (id, note, written_at) SELECT min(id) - 1, repeat('x', 8000), now() FROM ledger",
      ) // prettier-ignore
      .catch(() => undefined); // the next one is tried again
    await sleep(200);
  }
}

async function watchAll(): Promise<void> {
  while (performance.now() < endsAt) {
    await watching.look();
    await sleep(1_000);
  }
}

async function harmOnce(): Promise<void> {
  if (isHarmed !== true) return;
  await sleep((minutes * 60_000) / 2);
  const [holder, restarted] = standbys;
  await holdAddress(bed, holder);
  await bed.cluster.stop(restarted);
  // Its guard may be quicker.
  await bed.cluster.start(restarted).catch(() => undefined);
  say(`${new Date().toISOString()} harm: ${holder} holds the virtual address, ${restarted} was started anew`); // prettier-ignore
}

await Promise.all([stallAll(), writeAll(), watchAll(), harmOnce()]);
await waitFor(() => isWhole(bed), { timeoutMs: 60_000, what: "both standbys to stream" });
for (let look = 0; look < 10; look += 1) await watching.look();
const figures = watching.figures();
process.stdout.write(`${JSON.stringify({ minutes, seed, stalls: inflicted, ...figures })}\n`);
const harm = Object.keys(figures.destructive).length + figures.violations.length;
process.exitCode = harm === 0 ? 0 : 1;

function positive(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("a whole number above 0 is wanted.");
}
