import {
  coordinatorName,
  type Mode,
  type PointLists,
  type Recording,
  type Strike,
} from "./strike.ts";

/**
 * Every point that was reached, in the modes that it is struck in. Nothing here names a step: what is recorded is what
 * is struck. How much of it:
 *
 * - **boundaries**, the coordinator's points: each in both modes;
 * - **effects**, an agent's points inside a step (a slot is made, a product's file renamed, a ledger entry forgotten):
 *   each in both modes. What several agents reach is struck in both on the first, in one on the others, in turn;
 *   likewise a file that is written beside and not yet renamed: nothing is changed yet;
 * - **courses**, the points around every command (received, checked, applied, ended, its record on disk) are one
 *   routine's: each command of each agent is struck at one of them in each mode, going round until all had their turn;
 * - **records**, the agent's own small files: written by one routine too, each kind of them once;
 * - of a point that is reached several times, the first is struck to resume and the last to abort; of effects the last
 *   to resume, too.
 */
export function chooseStrikes({ run, undo, preflightKinds }: Recording): readonly Strike[] {
  const forward = occurrences(run);
  const isPreflight = ({ point }: Point): boolean => preflightKinds.includes(kindOf(point));
  const known = new Set(forward.map(({ process, point }) => `${process} ${point}`));
  const back = occurrences(undo).filter(({ process, point }) => !known.has(`${process} ${point}`));
  const inOperation = forward.filter((point) => !isPreflight(point));
  return inOrder([
    ...boundaries(inOperation, ["resume", "abort"]),
    ...effects(inOperation, ["resume", "abort"]),
    ...courses(inOperation, ["resume", "abort"]),
    ...records(inOperation, ["resume", "abort"]),
    ...onePerProcess(forward.filter(isPreflight)),
    ...boundaries(back, ["undo"]),
    ...effects(back, ["undo"]),
    ...courses(back, ["undo"]),
    ...records(back, ["undo"]),
    ...powerLosses(inOperation),
  ]);
}

/** Of a short operation: every point of every process in every mode. */
export function everyPoint({ run, undo }: Recording): readonly Strike[] {
  const forward = occurrences(run);
  const known = new Set(forward.map(({ process, point }) => `${process} ${point}`));
  const back = occurrences(undo).filter(({ process, point }) => !known.has(`${process} ${point}`));
  return inOrder([
    ...forward.flatMap((point) => [strikeAt(point, "resume"), strikeAt(point, "abort")]),
    ...back.map((point) => strikeAt(point, "undo")),
    ...forward.flatMap((point) => [
      { ...strikeAt(point, "power-off"), occurrence: 1 },
      { ...strikeAt(point, "power-off-abort"), occurrence: 1 },
    ]),
  ]);
}

/** Every nth of them, spread over modes, processes and points alike. */
export function everyNth(strikes: readonly Strike[], n: number): readonly Strike[] {
  return strikes.filter((_, index) => index % n === 0);
}

/** The same ones, so ordered that any part of them, from the first on, has a little of everything. */
export function spread(strikes: readonly Strike[]): readonly Strike[] {
  const goldenRatio = (Math.sqrt(5) - 1) / 2;
  const place = (index: number): number => (index * goldenRatio) % 1;
  return [...strikes.entries()].sort(([a], [b]) => place(a) - place(b)).map(([, strike]) => strike);
}

type Point = { readonly process: string; readonly point: string; readonly times: number };

function occurrences(lists: PointLists): readonly Point[] {
  return Object.entries(lists).flatMap(([process, lines]) => {
    const times = new Map<string, number>();
    for (const line of lines) times.set(line, (times.get(line) ?? 0) + 1);
    // Sorted: the order in which concurrent commands reach them is not the same every time.
    return [...times]
      .map(([point, count]) => ({ process, point, times: count }))
      .sort((a, b) => (a.point < b.point ? -1 : 1));
  });
}

function boundaries(points: readonly Point[], modes: readonly Mode[]): readonly Strike[] {
  return points
    .filter(({ process }) => process === coordinatorName)
    .flatMap((point) => modes.map((mode) => strikeAt(point, mode)));
}

function effects(points: readonly Point[], modes: readonly Mode[]): readonly Strike[] {
  const first = new Map<string, string>();
  return points.filter(isEffect).flatMap((point, index) => {
    const isFirst = (first.get(point.point) ?? point.process) === point.process;
    first.set(point.point, first.get(point.point) ?? point.process);
    const isOnce = !isFirst || point.point.startsWith("file:written-beside");
    const chosen = isOnce ? inTurn(modes, index) : modes;
    const strikes = chosen.map((mode) => strikeAt(point, mode));
    // What it is at last differs from what it was at first: something is noted before it is made, and once it is made.
    const isTwice = point.times > 1 && strikes.some(({ occurrence }) => occurrence === 1);
    return isTwice
      ? [...strikes, { ...strikeAt(point, "resume"), occurrence: point.times }]
      : strikes;
  });
}

function courses(points: readonly Point[], modes: readonly Mode[]): readonly Strike[] {
  const groups = groupBy(points.filter(isCourse), ({ process, point }) => `${process} ${kindOf(point)}`); // prettier-ignore
  return groups.flatMap((group, turn) =>
    modes.flatMap((mode, second) => {
      const point = group[(turn * modes.length + second) % group.length];
      return point === undefined ? [] : [strikeAt(point, mode)];
    }),
  );
}

function records(points: readonly Point[], modes: readonly Mode[]): readonly Strike[] {
  const groups = groupBy(points.filter(isRecord), ({ point }) => point.split("/")[0] ?? point);
  return groups.flatMap((group, turn) => {
    const point = group[turn % group.length];
    return point === undefined ? [] : inTurn(modes, turn).map((mode) => strikeAt(point, mode));
  });
}

function onePerProcess(points: readonly Point[]): readonly Strike[] {
  return groupBy(points.filter(isCourse), ({ process }) => process).flatMap((group, turn) => {
    const point = group[Math.floor(((turn + 1) * group.length) / 5) % group.length];
    return point === undefined ? [] : [strikeAt(point, "preflight")];
  });
}

/** Where the disk of a host tells most about what may be started from it, and one point of every other host. */
const powerPoints: readonly (readonly [RegExp, Mode])[] = [
  [/^agent:ended:run:base-backup$/, "power-off"],
  [/^agent:ended:run:base-backup$/, "power-off-abort"],
  [/^file:renamed:[^/]*conf\/run:write-node-files$/, "power-off"],
  [/^step:placed\/run:place-data-directory$/, "power-off-abort"],
  [/^step:server-launched\/run:start-database$/, "power-off"],
  [/^runner:step-started:base-backup$/, "power-off"],
  [/^runner:step-ended:append-backend$/, "power-off-abort"],
];

function powerLosses(points: readonly Point[]): readonly Strike[] {
  return powerPoints.flatMap(([pattern, mode]) => {
    const point = points.find(({ point: name }) => pattern.test(name));
    return point === undefined ? [] : [{ ...strikeAt(point, mode), occurrence: 1 }];
  });
}

function isCourse({ process, point }: Point): boolean {
  return process !== coordinatorName && /^(?:agent:|file:[^:]+:commands(?:\/|$))/.test(point);
}

/** Folders have no dot in their names: a record is named by its folder. */
function isRecord(point: Point): boolean {
  return (
    point.process !== coordinatorName &&
    !isCourse(point) &&
    /^file:(?:written-beside|renamed):[^.:/]+(?:\/|$)/.test(point.point)
  );
}

function isEffect(point: Point): boolean {
  return point.process !== coordinatorName && !isCourse(point) && !isRecord(point);
}

function kindOf(point: string): string {
  return point.slice(point.lastIndexOf(":") + 1);
}

function inTurn(modes: readonly Mode[], index: number): readonly Mode[] {
  const mode = modes[index % modes.length];
  return mode === undefined ? [] : [mode];
}

function strikeAt({ process, point, times }: Point, mode: Mode): Strike {
  return { process, point, occurrence: mode === "resume" ? 1 : times, mode };
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups.values()];
}

const modeOrder: readonly Mode[] = [
  "resume",
  "abort",
  "undo",
  "preflight",
  "power-off",
  "power-off-abort",
];

function inOrder(strikes: readonly Strike[]): readonly Strike[] {
  return modeOrder.flatMap((mode) => strikes.filter((strike) => strike.mode === mode));
}
