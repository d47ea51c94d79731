import type { VerifyLevel } from "#shared/domain/commands.ts";
import { describeMachine, renderMachine, type Machine } from "../machine.ts";
import { renderSpread, round, spread, type Spread } from "../spread.ts";
import { settle, withBed, type Bed } from "./bed.ts";
import { addByCastellan, type CastellanRound } from "./by-castellan.ts";
import { addByHand } from "./by-hand.ts";
import { startWriters } from "./writers.ts";

export type AddNodeBenchOptions = {
  /** MiB */
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly load: "idle" | "writes" | "both";
  readonly poolRounds: number;
  readonly verifyRounds: number;
  readonly steps?: boolean;
  readonly say: (line: string) => void;
};

type AddNodeRow = {
  /** MiB of the table that is most of the database. */
  readonly size: number;
  readonly load: "idle" | "writes";
  readonly pools: 0 | 2;
  readonly verify: VerifyLevel;
  readonly rounds: number;
  /** Rows per second that the writers got through. */
  readonly writesPerSecond: number;
  /** By hand; null where it is not measured beside. */
  readonly floorSeconds: number | null;
  readonly floor: Spread | null;
  readonly streamingSeconds: number;
  readonly streaming: Spread;
  /** To the end of the command: verified, registered, declared. */
  readonly operationSeconds: number;
  readonly operation: Spread;
  readonly ratio: number | null;
  readonly limitSeconds: number | null;
  readonly withinLimit: boolean | null;
};

export type AddNodeResult = {
  readonly ok: boolean;
  readonly machine: Machine;
  readonly rows: readonly AddNodeRow[];
};

/** The promise: a tenth more than the hand-made copy, and two seconds for all the care around it. */
const limit = { factor: 1.1, seconds: 2 };
/** MiB; the size at which pools and verification are measured. */
const smallMb = 200;

export async function benchAddNode(options: AddNodeBenchOptions): Promise<AddNodeResult> {
  const { say } = options;
  const machine = await describeMachine();
  say(renderMachine(machine));
  const rows: AddNodeRow[] = [];
  const add = (row: AddNodeRow): void => {
    rows.push(row);
    say(renderRow(row));
  };
  const loads = options.load === "both" ? (["idle", "writes"] as const) : [options.load];
  for (const sizeMb of options.sizes) {
    await withBed({ sizeMb, pool: false }, async (bed) => {
      // Not counted: the first copy is the first to touch the disk's free space.
      await handRound(bed);
      for (const load of loads) add(await pairedRow(bed, sizeMb, load, options));
    });
  }
  if (options.verifyRounds > 0) {
    await withBed({ sizeMb: smallMb, pool: false }, async (bed) => {
      await handRound(bed);
      for (const verify of ["none", "counts", "content"] as const) {
        const ours = await repeat(options.verifyRounds, () => castellanRound(bed, verify));
        add(rowOf({ sizeMb: smallMb, load: "idle", pools: 0, verify, floor: [], ours, rates: [] }));
        sayStepsOf(ours, options);
      }
    });
  }
  if (options.poolRounds > 0) {
    const ours = await repeat(options.poolRounds, () =>
      withBed({ sizeMb: smallMb, pool: true }, async (bed) => {
        await settle(bed);
        return addByCastellan(bed, "none");
      }),
    );
    const row = { sizeMb: smallMb, load: "idle", pools: 2, verify: "none" } as const;
    add(rowOf({ ...row, floor: [], ours, rates: [] }));
    sayStepsOf(ours, options);
  }
  return { ok: rows.every(({ withinLimit }) => withinLimit !== false), machine, rows };
}

/** By hand and by Castellan in turns, so that what the machine does besides meets both. */
async function pairedRow(
  bed: Bed,
  sizeMb: number,
  load: "idle" | "writes",
  options: AddNodeBenchOptions,
): Promise<AddNodeRow> {
  await using writers = load === "writes" ? await startWriters(bed) : null;
  const floor: number[] = [];
  const ours: CastellanRound[] = [];
  const rates: number[] = [];
  for (let turn = 0; turn < options.rounds; turn += 1) {
    const sides = [
      async () => floor.push(await handRound(bed)),
      async () => ours.push(await castellanRound(bed, "none")),
    ];
    for (const side of turn % 2 === 0 ? sides : sides.toReversed()) {
      await writers?.rate();
      await side();
      if (writers !== null) rates.push(await writers.rate());
    }
    const last = ours.at(-1);
    options.say(
      `  ${sizeMb} MiB, ${load}, round ${turn + 1}: by hand ${floor.at(-1)?.toFixed(2)} s, castellan ${last?.streamingSeconds.toFixed(2)} s (operation ${last?.operationSeconds.toFixed(2)} s)`,
    );
  }
  sayStepsOf(ours, options);
  return rowOf({ sizeMb, load, pools: 0, verify: "none", floor, ours, rates });
}

async function handRound(bed: Bed): Promise<number> {
  await bed.reset();
  await settle(bed);
  return addByHand(bed);
}

async function castellanRound(bed: Bed, verify: VerifyLevel): Promise<CastellanRound> {
  await bed.reset();
  await settle(bed);
  return addByCastellan(bed, verify);
}

async function repeat<T>(times: number, body: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let turn = 0; turn < times; turn += 1) results.push(await body());
  return results;
}

type Measured = Pick<AddNodeRow, "load" | "pools" | "verify"> & {
  readonly sizeMb: number;
  readonly floor: readonly number[];
  readonly ours: readonly CastellanRound[];
  readonly rates: readonly number[];
};

function rowOf({ sizeMb, load, pools, verify, floor, ours, rates }: Measured): AddNodeRow {
  const hand = floor.length === 0 ? null : spread(floor);
  const streaming = spread(ours.map(({ streamingSeconds }) => streamingSeconds));
  const operation = spread(ours.map(({ operationSeconds }) => operationSeconds));
  const limitSeconds = hand === null ? null : round(hand.median * limit.factor + limit.seconds);
  return {
    size: sizeMb,
    load,
    pools,
    verify,
    rounds: ours.length,
    writesPerSecond: rates.length === 0 ? 0 : round(spread(rates).median, 0),
    floorSeconds: hand?.median ?? null,
    floor: hand,
    streamingSeconds: streaming.median,
    streaming,
    operationSeconds: operation.median,
    operation,
    ratio: hand === null ? null : round(streaming.median / hand.median),
    limitSeconds,
    withinLimit: limitSeconds === null ? null : streaming.median <= limitSeconds,
  };
}

function renderRow(row: AddNodeRow): string {
  const title = `${row.size} MiB, ${row.load === "idle" ? "idle" : `${row.writesPerSecond} writes/s`}, ${row.pools} pools, --verify ${row.verify}`;
  const ours = `streaming ${renderSpread(row.streaming, "s")}, operation ${renderSpread(row.operation, "s")}`;
  if (row.floor === null) return `${title}: ${ours}`;
  const verdict = row.withinLimit === true ? "within" : "OVER";
  return `${title}: by hand ${renderSpread(row.floor, "s")}, ${ours}, ratio ${row.ratio}, ${verdict} the limit of ${row.limitSeconds?.toFixed(2)} s`;
}

function sayStepsOf(ours: readonly CastellanRound[], options: AddNodeBenchOptions): void {
  if (options.steps !== true) return;
  const slowest = ours.toSorted((a, b) => b.streamingSeconds - a.streamingSeconds)[0];
  for (const { id, seconds } of slowest?.steps ?? []) {
    options.say(`    ${seconds.toFixed(3).padStart(8)} s  ${id}`);
  }
}
