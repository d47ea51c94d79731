import { createInterface } from "node:readline";
import * as z from "zod";
import type { Host } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** One POST of the coordinator's webhook, with the moment at which its body was there. */
export type Delivery = {
  readonly atMs: number;
  readonly id: string;
  readonly state: string;
  readonly cause: string;
  readonly detail: string;
};

export type Receiver = AsyncDisposable & {
  readonly url: string;
  /** All that came so far, in order. */
  readonly deliveries: readonly Delivery[];
  /** The first one from the given place on that matches; null when none comes in time. */
  first(
    from: number,
    matches: (delivery: Delivery) => boolean,
    timeoutMs: number,
  ): Promise<Delivery | null>;
};

/** The machine's monotonic clock: the same for the bench and for every host of its lab. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const port = 9780;
const program = `
require("node:http").createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const atMs = Number(process.hrtime.bigint()) / 1e6;
    process.stdout.write(JSON.stringify({ atMs, body: Buffer.concat(chunks).toString() }) + "\\n");
    response.end();
  });
}).listen(${port}, "127.0.0.1", () => process.stdout.write("listening\\n"));
`;

const Line = z.object({ atMs: z.number(), body: z.string() });
const Body = z.object({
  id: z.string(),
  alert: z.object({ state: z.string(), cause: z.string(), detail: z.string() }),
});

/** A program on the coordinator's host that takes every alert at once and tells the bench when it came. */
export async function startReceiver(host: Host): Promise<Receiver> {
  const child = await host.spawn([host.nodePath, "-e", program]);
  if (child.stdout === null) throw new Error("a receiver without standard output");
  const deliveries: Delivery[] = [];
  const listeners = new Set<(delivery: Delivery) => void>();
  let isListening = false;
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line === "listening") {
      isListening = true;
      return;
    }
    const { atMs, body } = Line.parse(JSON.parse(line));
    const { id, alert } = Body.parse(JSON.parse(body));
    const delivery = { atMs, id, ...alert };
    deliveries.push(delivery);
    for (const listener of listeners) listener(delivery);
  });
  await waitFor(() => isListening, { what: "the webhook's receiver" });

  return {
    url: `http://127.0.0.1:${port}/`,
    deliveries,
    first: (from, matches, timeoutMs) => {
      const known = deliveries.slice(from).find(matches);
      if (known !== undefined) return Promise.resolve(known);
      return new Promise((resolve) => {
        const end = (delivery: Delivery | null): void => {
          clearTimeout(timer);
          listeners.delete(listener);
          resolve(delivery);
        };
        const timer = setTimeout(() => end(null), timeoutMs);
        const listener = (delivery: Delivery): void => {
          if (matches(delivery)) end(delivery);
        };
        listeners.add(listener);
      });
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await child.exited;
    },
  };
}
