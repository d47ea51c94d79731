import type { ProductId } from "#shared/domain/cluster.ts";
import type {
  Fault,
  FaultKind,
  HostName,
  Moment,
  PlannedFault,
  PoolHost,
  ProgramName,
  Service,
} from "./faults.ts";
import { randomOf, type Random } from "./random.ts";

/** What of an add-node plan a schedule rests on. */
export type ScheduledStep = {
  readonly id: string;
  readonly kind: string;
  readonly on: string | null;
};

/** Drawn before anything is built. */
export type WalkOptions = {
  readonly product: ProductId;
  /** Arguments of `node add`. */
  readonly arguments: readonly string[];
  /** Once the operation pauses: an operator who mends and goes on, or one who has had enough. */
  readonly whenPaused: "resume" | "abort";
};

export type Schedule = { readonly seed: number; readonly faults: readonly PlannedFault[] };

/** Every fourth seed walks on KingbaseES, unless a product is asked for. */
export function drawOptions(seed: number, product: ProductId | null): WalkOptions {
  const random = randomOf(seed * 2 + 1);
  const maxRate = random.pick(["4M", "8M", "32M"]);
  const onFailure = random.pick(["pause", "pause", "rollback"]);
  const verify = random.pick(["counts", "counts", "content", "none"]);
  return {
    product: product ?? (seed % 4 === 0 ? "kingbase-v8r3" : "postgresql"),
    arguments: ["--max-rate", maxRate, "--on-failure", onFailure, "--verify", verify],
    whenPaused: random.chance(0.8) ? "resume" : "abort",
  };
}

/** One to four faults, and when they come: the same for the same seed and plan. */
export function drawSchedule(seed: number, plan: readonly ScheduledStep[]): Schedule {
  const random = randomOf(seed * 2);
  const wanted = random.weighted([
    { weight: 2, count: 1 },
    { weight: 4, count: 2 },
    { weight: 3, count: 3 },
    { weight: 2, count: 4 },
  ]).count;
  const faults: PlannedFault[] = [];
  while (faults.length < wanted) {
    const drawn = drawFault(random, plan, faults);
    // A program holds one point to die or freeze at.
    if (!faults.some((other) => areAlike(other, drawn))) faults.push(drawn);
  }
  return { seed, faults };
}

function areAlike({ moment: a, fault: f }: PlannedFault, { moment: b, fault: g }: PlannedFault) {
  if (f.kind === "abort" && g.kind === "abort") return true;
  return a.on === "point" && b.on === "point" && a.program === b.program;
}

const weights: Record<FaultKind, number> = {
  "kill-program": 5,
  "stop-program": 4,
  "restart-program": 2,
  "die-at-point": 7,
  "stop-at-point": 2,
  "kill-copy": 2,
  "cut-link": 5,
  "lose-incoming": 3,
  "lose-traffic": 3,
  "reset-connections": 2,
  "narrow-link": 1,
  "power-off": 4,
  "crash-database": 3,
  "crash-pool": 3,
  "fill-disk": 3,
  abort: 6,
  resume: 1,
  "second-add": 1,
};

function drawFault(
  random: Random,
  plan: readonly ScheduledStep[],
  earlier: readonly PlannedFault[],
): PlannedFault {
  const kinds = (Object.keys(weights) as FaultKind[]).map((kind) => ({
    // keys of a Record<FaultKind, …>
    kind,
    weight: weights[kind],
  }));
  const { kind } = random.weighted(kinds);
  const isAborted = earlier.some(({ fault }) => fault.kind === "abort");
  if (kind === "die-at-point" || kind === "stop-at-point") {
    const program = drawProgram(random);
    const moment = drawPoint(random, plan, program, isAborted);
    return { moment, fault: drawInputs(random, kind, program) };
  }
  const fault = drawInputs(random, kind, drawProgram(random));
  return { moment: drawMoment(random, plan, fault, isAborted), fault };
}

const oneWay: readonly (readonly [HostName, HostName])[] = [
  ["srv127", "srv159"],
  ["srv159", "srv127"],
  ["srv129", "srv127"],
  ["coord", "srv127"],
  ["coord", "srv159"],
  ["srv129", "coord"],
  ["srv159", "coord"],
];
const poweredHosts: readonly { readonly weight: number; readonly host: HostName }[] = [
  { weight: 4, host: "srv159" },
  { weight: 3, host: "coord" },
  { weight: 1, host: "srv129" },
  { weight: 1, host: "srv127" },
];
const connections: readonly (readonly [HostName, Service])[] = [
  ["srv127", "coordinator"],
  ["srv129", "coordinator"],
  ["srv159", "coordinator"],
  ["srv159", "database"],
  ["srv129", "database"],
];
const pools: readonly PoolHost[] = ["srv127", "srv129"];

function drawProgram(random: Random): ProgramName {
  return random.weighted<{ weight: number; program: ProgramName }>([
    { weight: 4, program: "coordinator" },
    { weight: 2, program: "srv127" },
    { weight: 2, program: "srv129" },
    { weight: 4, program: "srv159" },
  ]).program;
}

function drawInputs(random: Random, kind: FaultKind, program: ProgramName): Fault {
  switch (kind) {
    case "kill-program":
    case "die-at-point":
      return { kind, program, downMs: random.pick([50, 400, 2_000, 8_000]) };
    case "stop-program":
    case "stop-at-point":
      return { kind, program, forMs: random.pick([300, 2_000, 7_000, 12_000]) };
    case "restart-program":
      return { kind, program };
    case "cut-link": {
      const host = random.pick(["srv127", "srv129", "srv159", "srv159", "coord"] as const);
      return { kind, host, forMs: random.pick([500, 2_000, 5_000, 12_000]) };
    }
    case "lose-incoming": {
      const [host, of] = random.pick(oneWay);
      return { kind, host, of, forMs: random.pick([1_000, 4_000, 12_000]) };
    }
    case "lose-traffic": {
      const [host, service] = random.pick(connections);
      return { kind, host, service, forMs: random.pick([1_000, 4_000, 12_000]) };
    }
    case "reset-connections": {
      const [host, service] = random.pick(connections);
      return { kind, host, service };
    }
    case "narrow-link":
      return { kind, host: "srv159", kilobits: random.pick([500, 8_000]), forMs: random.pick([2_000, 9_000]) }; // prettier-ignore
    case "power-off": {
      const host = random.weighted(poweredHosts).host;
      return { kind, host, forMs: random.pick([200, 2_000, 8_000]) };
    }
    case "crash-database":
    case "crash-pool":
      return { kind, node: random.pick(pools), downMs: random.pick([100, 1_000, 6_000]) };
    case "fill-disk":
      return { kind, forMs: random.pick([500, 3_000, 10_000]) };
    case "kill-copy":
    case "abort":
    case "resume":
    case "second-add":
      return { kind };
  }
}

function drawMoment(
  random: Random,
  plan: readonly ScheduledStep[],
  fault: Fault,
  isAborted: boolean,
): Moment {
  if (isAborted && fault.kind !== "abort" && random.chance(0.6)) {
    return { on: "undo", count: random.between(0, 12), afterMs: random.between(0, 200) };
  }
  const copy = plan.findIndex(({ kind }) => kind === "base-backup");
  // Most of the time passes in the copy, and most of the steps pass in an instant.
  if (fault.kind === "kill-copy" || random.chance(0.25)) {
    return { on: "step", ...stepAt(plan, copy), afterMs: random.between(0, 4_000) };
  }
  return { on: "step", ...stepAt(plan, random.between(0, plan.length - 1)), afterMs: random.between(0, 300) }; // prettier-ignore
}

function stepAt(plan: readonly ScheduledStep[], index: number): { index: number; id: string } {
  const step = plan[index];
  if (step === undefined) throw new Error(`the plan has no step ${index}`);
  return { index, id: step.id };
}

/** A point that the program passes: any of the coordinator's, or of a step that its agent takes part in. */
function drawPoint(
  random: Random,
  plan: readonly ScheduledStep[],
  program: ProgramName,
  isAborted: boolean,
): Moment {
  const word = isAborted && random.chance(0.4) ? "undo" : "step";
  if (program === "coordinator") {
    const point = `runner:${word}-${random.pick(["started", "ended", "done"])}`;
    return { on: "point", program, point, times: random.between(1, plan.length) };
  }
  const own = plan.filter(({ on }) => on === program);
  const { kind } = own.length === 0 ? { kind: "nothing" } : random.pick(own);
  const phase = word === "undo" ? "undo" : "run";
  const point = random.pick([
    `agent:received:${phase}:${kind}`,
    `agent:checked:${kind}`,
    `agent:applied:${kind}`,
    `agent:ending:${phase}:${kind}`,
    `agent:ended:${phase}:${kind}`,
  ]);
  return { on: "point", program, point, times: 1 };
}
