// A load of clients that never send anything twice. Runs inside a host's network; settings and
// commands come as JSON lines on standard input, statistics go out as JSON lines.
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { keepConnecting, keepSession } from "./clients.ts";
import { LoadCommand, LoadSettings } from "./messages.ts";
import { Tally } from "./tally.ts";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await lines.next();
const settings = LoadSettings.parse(JSON.parse(first.done === true ? "" : first.value));
const tally = new Tally();
const stop = new AbortController();
const clients = [
  ...Array.from({ length: settings.writers }, (_, index) =>
    keepSession(settings, index, "writer", tally, stop.signal),
  ),
  ...Array.from({ length: settings.readers }, (_, index) =>
    keepSession(settings, index, "reader", tally, stop.signal),
  ),
  ...(settings.freshIntervalMs > 0 ? [keepConnecting(settings, tally, stop.signal)] : []),
];

for await (const line of { [Symbol.asyncIterator]: () => lines }) {
  const command = LoadCommand.parse(JSON.parse(line));
  if (command.command === "stop") {
    stop.abort();
    // A statement that hangs is seen in the longest latency, not waited for without end.
    await Promise.race([Promise.all(clients), sleep(10_000)]);
  }
  process.stdout.write(`${JSON.stringify(tally.since(command.sinceMs))}\n`);
  if (command.command === "stop") break;
}
process.exit(0);
