import type { Evidence } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import type { LocalStep, LocalStepArgs, LocalStepContext } from "./local-step.ts";

type Args = LocalStepArgs<"attach-pool">;

/** Statements that are under way when the door is shut reach their session within this time. */
const settleMs = 50;
const provedWithinMs = 5_000;
/** Shares of the time that a door is held: the rest of it is for the attach. */
const shareForShutting = 0.5;
const mostRounds = 3;

/**
 * Attaches a backend to every pool of the cluster as one act: nobody must be heard by any pool while the attach is
 * handled, because pgpool ends a session that sends a statement then (source of 3.6 to 4.3). Whatever happens in the
 * middle, the kernel of each host opens its door by itself.
 */
export const attachPool: LocalStep<"attach-pool"> = {
  run: async (args, context) => {
    const waiting = await loadedEverywhere(args, context);
    if (waiting.length === 0) {
      const line = `backend ${args.row.id} is up on every pool already`;
      return { alreadyDone: true, lines: [line], files: [] };
    }
    return args.holdDoor ? attachBehindDoor(args, context) : attachOpenly(args, context);
  },
  undo: async ({ row, pools }, context) => {
    // One after the other: with a watchdog the first detach is passed on, and the rest find nothing to do.
    const lines: string[] = [];
    for (const { node } of pools) {
      const taken = await context.command(node, "attach-backend", { row }, "undo");
      lines.push(...taken.lines.map((line) => `${node}: ${line}`));
    }
    return { alreadyDone: false, lines, files: [] };
  },
};

/** Pools that have the row loaded but not up. @throws what a pool without this very row says. */
async function loadedEverywhere(
  { row, pools }: Args,
  { command }: LocalStepContext,
): Promise<readonly string[]> {
  const states = await Promise.all(
    pools.map(async ({ node }) => {
      try {
        await command(node, "prove-backend", { row, stallMs: 1 });
        return [];
      } catch (error) {
        if (asFailure(error).code === "STALLED") return [node];
        throw error;
      }
    }),
  );
  return states.flat();
}

async function attachBehindDoor(args: Args, context: LocalStepContext): Promise<Evidence> {
  const { pools } = args;
  const { command, clock, signal } = context;
  const lines: string[] = [];
  const release = async ({ node, port }: Args["pools"][number]): Promise<void> => {
    const released = await command(node, "release-door", { ports: [port] });
    lines.push(...released.lines.map((line) => `${node}: ${line}`));
  };
  const released = new Set<string>();
  try {
    await shutEvery(args, context);
    crashPoint("step:doors-held");
    await clock.sleep(settleMs, signal);
    lines.push(...(await attachEverywhere(args, context)));
    crashPoint("step:attached-everywhere");
    // Each door opens as soon as its own pool is through, not when the slowest is.
    await all(
      pools.map(async (pool) => {
        lines.push(...(await proveOn(pool.node, args, context)));
        released.add(pool.node);
        await release(pool);
      }),
    );
  } finally {
    const left = pools.filter(({ node }) => !released.has(node));
    // After an abort nothing can be sent any more: the doors open by themselves.
    await Promise.allSettled(left.map(release));
  }
  return { alreadyDone: false, lines, files: [] };
}

/**
 * A busy host may take longer to shut its door than another's stays shut, and then clients would be heard during the
 * attach. So they are all shut anew until the first of them has been shut for a part of its time only: from the second
 * round on each host's helper waits for the word.
 */
async function shutEvery({ pools, holdMs }: Args, { command, clock }: LocalStepContext) {
  let shutForMs = 0;
  for (let round = 0; round < mostRounds; round += 1) {
    const askedAt = clock.elapsedMs();
    const answers = await all(
      pools.map(async ({ node, port }) => ({
        node,
        ...(await command(node, "hold-door", { ports: [port], forMs: holdMs })),
      })),
    );
    const refusals = answers
      .filter(({ held }) => !held)
      .map(({ node, reason }) => `${node}: held: false, ${reason ?? "no reason given"}`);
    if (refusals.length > 0) throw cannotHold(refusals);
    const firstShutAt = askedAt + Math.min(...answers.map(({ preparedMs = 0 }) => preparedMs));
    shutForMs = clock.elapsedMs() - firstShutAt;
    if (shutForMs <= holdMs * shareForShutting) return;
  }
  throw tooBusy(Math.round(shutForMs), holdMs);
}

async function attachOpenly(args: Args, context: LocalStepContext): Promise<Evidence> {
  const lines = [
    "held: false, as planned: a session that sends a statement meanwhile reconnects once",
  ];
  lines.push(...(await attachEverywhere(args, context)));
  const proofs = await all(args.pools.map(({ node }) => proveOn(node, args, context)));
  return { alreadyDone: false, lines: [...lines, ...proofs.flat()], files: [] };
}

/** Every agent is asked; the one at the watchdog's leader attaches, the others see it arrive. */
async function attachEverywhere(
  { row, pools }: Args,
  { command }: LocalStepContext,
): Promise<readonly string[]> {
  const answers = await all(
    pools.map(async ({ node }) => {
      const answer = await command(node, "attach-backend", { row });
      return answer.lines.map((line) => `${node}: ${line}`);
    }),
  );
  return answers.flat();
}

async function proveOn(node: string, { row }: Args, { command }: LocalStepContext) {
  const proof = await command(node, "prove-backend", { row, stallMs: provedWithinMs });
  return proof.lines.map((line) => `${node}: ${line}`);
}

function cannotHold(refusals: readonly string[]): Failure {
  return new Failure("REFUSED", `the door can't be held on every pool, as was planned`, {
    hint: "Mend what is named; or abort and plan again, which says beforehand what an open attach would cut.",
    evidence: refusals,
    retryable: true,
  });
}

function tooBusy(shutForMs: number, holdMs: number): Failure {
  return new Failure(
    "STALLED",
    `when the last pool's door was shut, the first may have been for ${shutForMs} ms; it stays shut for ${holdMs} ms, and the attach has to fit in`,
    {
      hint: "The hosts, or the way to them, are very busy: wait until they are less so. Nothing was attached, and no client was cut.",
      retryable: true,
    },
  );
}

/** Like Promise.all, but waits for the rest too: nothing may still be under way when the doors are opened. */
async function all<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  const ends = await Promise.allSettled(work);
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
}
