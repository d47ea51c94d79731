import type { PacketFilter } from "./packet-filter.ts";

/** Nobody's statement waits longer than this, whatever goes wrong. */
export const mostHeldMs = 1_000;

export type DoorIo = {
  /** Lines from standard input; ends when whoever started us is gone. */
  readonly lines: AsyncIterable<string>;
  readonly print: (line: string) => void;
  readonly now: () => number;
};

/**
 * The held door as a conversation, an answer for every line: `ready` is answered with `ready`, `shut MS` with
 * `shut PORT...`, `open` with `open HELD_MS` (or `expired HELD_MS` when the kernel had opened it before), anything else
 * with `what?`. The rules go when the input ends. Started before the moment of action, so that shutting takes a few
 * milliseconds and not the start of sudo and of a program.
 */
export async function holdDoor(
  filter: PacketFilter,
  ports: readonly number[],
  { lines, print, now }: DoorIo,
): Promise<void> {
  let shut: { readonly at: number; readonly ms: number } | null = null;
  await filter.sweep();
  try {
    for await (const line of lines) {
      const words = line.trim().split(" ");
      const ms = readShut(words);
      if (ms !== null) {
        shut = { at: now(), ms };
        await filter.shut(ports, ms);
        print(["shut", ...ports].join(" "));
      } else if (words.length === 1 && words[0] === "open") {
        await filter.open();
        const heldMs = shut === null ? 0 : Math.round(now() - shut.at);
        print(`${shut !== null && heldMs > shut.ms ? "expired" : "open"} ${heldMs}`);
        shut = null;
      } else {
        print(line.trim() === "ready" ? "ready" : "what?");
      }
    }
  } finally {
    if (shut !== null) await filter.open();
  }
}

function readShut(words: readonly string[]): number | null {
  const [verb, ms, ...more] = words;
  if (verb !== "shut" || ms === undefined || more.length > 0 || !/^[1-9]\d{0,8}$/.test(ms))
    return null;
  return Math.min(mostHeldMs, Number(ms));
}
