import type { ServerResponse } from "node:http";
import type { Store } from "../store/store.ts";

const pageOf = 200;

/**
 * Every event after `after`, one JSON object a line, those that are there and those that come, until the reader goes
 * away. A reader that is slow is waited for: what it has not read is in the journal.
 */
export function streamEvents(
  store: Pick<Store, "events" | "watchEvents">,
  after: number,
  response: ServerResponse,
): void {
  let last = after;
  let isFull = false;
  const send = (): void => {
    for (;;) {
      if (isFull) return;
      const page = store.events(last, pageOf);
      for (const event of page) {
        last = event.sequence;
        isFull = !response.write(`${JSON.stringify(event)}\n`) || isFull;
      }
      if (page.length < pageOf) return;
    }
  };
  const sendSafely = (): void => {
    try {
      send();
    } catch (error) {
      // The journal can't be read: the reader asks again.
      response.destroy(error instanceof Error ? error : undefined);
    }
  };
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  response.flushHeaders();
  const listening = store.watchEvents(sendSafely);
  response.on("drain", () => {
    isFull = false;
    sendSafely();
  });
  response.once("close", () => listening[Symbol.dispose]());
  sendSafely();
}
