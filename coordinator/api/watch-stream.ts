import type { ServerResponse } from "node:http";
import type { OperationState } from "#shared/domain/operation.ts";
import type { Runner } from "../operations/runner.ts";

/** States in which an operation goes on by itself: a watch lasts as long as these do. */
const moving: ReadonlySet<OperationState> = new Set(["planned", "running", "rolling-back"]);

/** One JSON object a line until the operation rests, the reader goes away, or it reads too slowly. */
export function streamOperation(
  runner: Pick<Runner, "watch">,
  id: string,
  response: ServerResponse,
  sendBufferBytes: number,
): void {
  let subscription: Disposable | null = null;
  const stop = (): void => {
    subscription?.[Symbol.dispose]();
    subscription = null;
  };
  let isOver = false;
  subscription = runner.watch(id, (update) => {
    if (isOver) return;
    if (!response.headersSent) response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.write(`${JSON.stringify(update)}\n`);
    isOver = update.type === "operation" && !moving.has(update.operation.state);
    if (isOver) response.end();
    else if (response.writableLength > sendBufferBytes) response.destroy();
  });
  if (isOver) stop();
  response.once("close", stop);
}
