import { crashPoint } from "#shared/crash-point.ts";
import { openPcp, type Pcp } from "../adapters/pcp.ts";
import type { RootHelperSession, StepContext } from "../ports.ts";
import { isAlive, poolChildren } from "../adapters/pool-process.ts";
import { readPoolConf, runningPool } from "./pool-place.ts";

/** A door that this agent holds, or could not hold, for an operation. It lives no longer than the process. */
export type HeldDoor = {
  readonly ports: readonly number[];
  /** Why it is not held; null while it is. */
  readonly refusal: string | null;
  /** Passed before the helper was told to shut: nobody waited yet. */
  readonly preparedMs: number;
  readonly session: RootHelperSession | null;
  /** The pool's worker process at that moment: a pool replaces it as the last act of taking a node up. */
  readonly worker: number | null;
  /** Opened beforehand, so that what is done behind the shut door takes no longer than it must. */
  readonly control: SharedControl | null;
  /** Takes away what a helper that was killed has left in the packet filter, once the kernel has opened it. */
  readonly sweep: () => Promise<unknown>;
};

/** Closed when the door and everybody who still uses it have let go: an attach may outlast the door. */
type SharedControl = AsyncDisposable & {
  use(): PoolControl & AsyncDisposable;
};

export type PoolControl = {
  readonly pcp: Pcp;
  /** Does an attach here act on every pool? True for the watchdog's leader, and where there is no watchdog. */
  readonly acts: boolean;
};

const doors = new Map<string, HeldDoor>();

export function heldDoor(operationId: string): HeldDoor | null {
  return doors.get(operationId) ?? null;
}

/**
 * Shuts the door by the root helper. The helper is started before it is told to shut, and stays for the release. A
 * second call for the same operation shuts it anew.
 */
export async function shutDoor(
  context: StepContext,
  ports: readonly number[],
  forMs: number,
): Promise<HeldDoor> {
  const { operationId, clock } = context;
  const startedAt = clock.elapsedMs();
  const session = doors.get(operationId)?.session ?? (await startHelper(context));
  if (typeof session === "string") return remember(operationId, refused(ports, session));
  const before = doors.get(operationId)?.control ?? null;
  const look = async () => ({
    worker: await findWorker(context),
    control: before ?? share(await openControl(context)),
  });
  const { worker, control } = await look().catch(async (error: unknown) => {
    doors.delete(operationId);
    await endSession(session);
    await before?.[Symbol.asyncDispose]();
    throw error;
  });
  const preparedMs = clock.elapsedMs() - startedAt;
  const answer = await session.ask(`shut ${forMs}`).catch((error: unknown) => `${String(error)}`);
  const held = answer.startsWith("shut ") ? answer.split(" ").slice(1).map(Number) : null;
  const missing = held === null ? ports : ports.filter((port) => !held.includes(port));
  if (held !== null && missing.length === 0) {
    const sweep = () => context.rootHelper.run("door-sweep");
    const shut = { ports, refusal: null, preparedMs, session, worker, control, sweep };
    const door = remember(operationId, shut);
    // If nobody releases it the kernel opens the door; the helper is ended a little later.
    const forget = (): void => {
      if (heldDoor(operationId) !== door) return; // released, or shut anew for longer
      openDoor(operationId).catch((error: unknown) => {
        context.log.warn({ err: error }, "The helper of a door that nobody released was gone.");
      });
    };
    setTimeout(forget, forMs + 2_000).unref();
    crashPoint("step:door-shut");
    return door;
  }
  await endSession(session);
  await control[Symbol.asyncDispose]();
  const reason =
    held === null
      ? `the root helper could not shut it: ${answer}`
      : `the root helper's settings don't name port ${missing.join(", ")}`;
  return remember(operationId, refused(ports, reason));
}

/** Opens the door and ends the helper; null where this agent holds none for the operation. */
export async function openDoor(operationId: string): Promise<string | null> {
  const door = doors.get(operationId);
  doors.delete(operationId);
  if (door === undefined || door.session === null) return null;
  try {
    return await door.session.ask("open");
  } catch (error) {
    await door.sweep();
    throw error;
  } finally {
    // The helper also opens when its input ends.
    await endSession(door.session);
    await door.control?.[Symbol.asyncDispose]();
  }
}

/** The pool's control port for one use: what was opened with the door, else a new one. */
export async function poolControl(context: StepContext): Promise<PoolControl & AsyncDisposable> {
  const opened = doors.get(context.operationId)?.control ?? null;
  if (opened !== null) return opened.use();
  const control = await openControl(context);
  return { ...control, [Symbol.asyncDispose]: () => control.pcp[Symbol.asyncDispose]() };
}

function share(control: PoolControl): SharedControl {
  let holders = 1;
  const letGo = async (): Promise<void> => {
    holders -= 1;
    if (holders === 0) await control.pcp[Symbol.asyncDispose]();
  };
  return {
    use: () => {
      holders += 1;
      return { ...control, [Symbol.asyncDispose]: letGo };
    },
    [Symbol.asyncDispose]: letGo,
  };
}

async function openControl(context: StepContext): Promise<PoolControl> {
  const pcp = await openPcp(context);
  try {
    const watchdog = await pcp.watchdog();
    return { pcp, acts: watchdog === null || watchdog.isLeader };
  } catch (error) {
    await pcp[Symbol.asyncDispose]();
    throw error;
  }
}

async function startHelper(context: StepContext): Promise<RootHelperSession | string> {
  const { rootHelper } = context;
  if (!(await rootHelper.verbs()).includes("door")) {
    return "this host has no root helper that can hold the door (castellan-root install, and nft or ipset)";
  }
  try {
    const session = await rootHelper.open("door");
    const answer = await session.ask("ready");
    if (answer === "ready") return session;
    await endSession(session);
    return answer;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function findWorker(context: StepContext): Promise<number | null> {
  const { pool } = context.settings;
  if (pool === null) return null;
  const { conf } = await readPoolConf(pool.configFile, context);
  const parent = await runningPool(conf, context);
  if (parent === null) return null;
  const children = await poolChildren(parent);
  return children.find(({ title }) => title.endsWith(": worker process"))?.pid ?? null;
}

/**
 * Resolves when the pool has finished taking the node up, so that sessions may be heard again. pgpool ends sessions that
 * send a statement until the very end of its failback, after the row is `up` (source of 3.6 to 4.3, `failover()`): the
 * last thing that it does before is to have its worker process restart. Answers what was seen; a pool whose worker
 * can't be seen gets the time that a failback was measured to take under load.
 */
export async function failbackIsOver(
  door: HeldDoor,
  { clock, signal }: Pick<StepContext, "clock" | "signal">,
): Promise<string> {
  const begun = clock.elapsedMs();
  const limitMs = 150;
  while (clock.elapsedMs() - begun < limitMs) {
    if (door.worker !== null && !(await isAlive(door.worker))) {
      await clock.sleep(15, signal);
      return "its worker was renewed, so the switch is over";
    }
    await clock.sleep(3, signal);
  }
  return `gave it ${limitMs} ms to end the switch`;
}

function refused(ports: readonly number[], refusal: string): HeldDoor {
  const none = { preparedMs: 0, session: null, worker: null, control: null, sweep: nothing };
  return { ports, refusal, ...none };
}

function remember(operationId: string, door: HeldDoor): HeldDoor {
  doors.set(operationId, door);
  return door;
}

async function endSession(session: RootHelperSession): Promise<void> {
  await session[Symbol.asyncDispose]();
}

const nothing = (): Promise<void> => Promise.resolve();
