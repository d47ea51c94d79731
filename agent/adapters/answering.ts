import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Failure } from "#shared/errors.ts";

/** No disk that works takes as long. */
const answerWithinMs = 5_000;
const probeWithinMs = 1_000;

/** Since when: what was asked in vain, and where its silence begins. */
const silent = new Map<string, number>();
/** By directory, the last that was asked in it. */
const turns = new Map<string, Promise<unknown>>();
let probing: Promise<void> = Promise.resolve();

/**
 * A call that asks a file system, which may never answer: the server of an NFS or FUSE mount is gone, all ways to a disk are dead. The
 * call then holds one of the few threads that all files share, and nothing takes it back. So a directory is asked one
 * thing at a time, and while one hangs nothing below the place where the silence begins.
 * @throws Failure STALLED
 */
export async function answering<T>(path: string, call: () => Promise<T>): Promise<T> {
  const directory = dirname(path);
  const before = turns.get(directory) ?? Promise.resolve();
  const turn = before.catch(() => undefined).then(() => ask(path, call));
  turns.set(directory, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(directory) === turn) turns.delete(directory);
  }
}

/** The places that do not answer, each with the time since when. */
export function silentPlaces(): readonly string[] {
  return [...silent.keys()]
    .filter((path) => silenceOver(dirname(path)) === null)
    .map((path) => describe(path));
}

async function ask<T>(path: string, call: () => Promise<T>): Promise<T> {
  refuseWhereSilent(path);
  const answer = call();
  if (await isAnswered(answer, answerWithinMs)) return answer;
  remember(path, answer, answerWithinMs);
  probing = probing.then(() => findSilence(path));
  await probing;
  refuseWhereSilent(path);
  return answer;
}

function refuseWhereSilent(path: string): void {
  const place = silenceOver(path);
  if (place === null) return;
  throw new Failure("STALLED", describe(place), {
    hint: "Look for a mount whose server or disk is gone (/proc/mounts, kernel log).",
    retryable: true,
  });
}

function silenceOver(path: string): string | null {
  if (silent.size === 0) return null;
  return ["/", ...prefixes(path)].find((place) => silent.has(place)) ?? null;
}

function describe(place: string): string {
  return `${place} has not answered since ${new Date(silent.get(place) ?? 0).toISOString()}`;
}

/** The shortest path towards `path` that does not answer: its mount point, or a link into one. */
async function findSilence(path: string): Promise<void> {
  for (const place of prefixes(path)) {
    if (silent.has(place)) return;
    const answer = stat(place).catch(() => undefined);
    if (await isAnswered(answer, probeWithinMs)) continue;
    remember(place, answer, probeWithinMs);
    return;
  }
}

/** `/a`, `/a/b`, `/a/b/c` of `/a/b/c` */
function prefixes(path: string): readonly string[] {
  const names = path.split("/").filter((name) => name !== "");
  return names.map((_, at) => `/${names.slice(0, at + 1).join("/")}`);
}

function remember(path: string, answer: Promise<unknown>, waitedMs: number): void {
  silent.set(path, Date.now() - waitedMs);
  const forget = (): void => {
    silent.delete(path);
  };
  answer.then(forget, forget);
}

async function isAnswered(answer: Promise<unknown>, withinMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, withinMs, false);
  });
  try {
    return await Promise.race([answer.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
