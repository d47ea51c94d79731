import type { ServerResponse } from "node:http";
import { statusAnswer, type StatusPorts } from "./status-answer.ts";

/** A failing node tells many things within moments: they are one line of the stream. */
const gatherMs = 200;
/** Declarations are edited by hand, and nobody tells us. */
const backstopMs = 5_000;
/** They are others at every look. */
const ages: ReadonlySet<string> = new Set(["at", "lastSeenAt", "factsAt", "lagMs"]);

/**
 * The status now, and again whenever it is another, one a line, until the reader goes away. One that is slow gets the
 * newest when it has read: what was in between is of no use.
 */
export function streamStatus(
  ports: StatusPorts,
  only: string | null,
  response: ServerResponse,
): void {
  let sent = "";
  let isFull = false;
  let soon: NodeJS.Timeout | null = null;
  const first = statusAnswer(ports, only);
  const send = (status = statusAnswer(ports, only)): void => {
    const gist = JSON.stringify(status, (key, value: unknown) => (ages.has(key) ? null : value));
    if (isFull || gist === sent) return;
    sent = gist;
    isFull = !response.write(`${JSON.stringify(status)}\n`);
  };
  const sendSafely = (): void => {
    soon = null;
    try {
      send();
    } catch (error) {
      // The journal can't be read, or the cluster is gone: the reader asks again, and is told.
      response.destroy(error instanceof Error ? error : undefined);
    }
  };
  const sendSoon = (): void => {
    soon ??= setTimeout(sendSafely, gatherMs);
  };
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  const watching = [ports.fleet.watch(sendSoon), ports.store.watchEvents(sendSoon)];
  const backstop = setInterval(sendSoon, backstopMs);
  response.on("drain", () => {
    isFull = false;
    sendSoon();
  });
  response.once("close", () => {
    for (const each of watching) each[Symbol.dispose]();
    clearInterval(backstop);
    if (soon !== null) clearTimeout(soon);
  });
  send(first);
}
