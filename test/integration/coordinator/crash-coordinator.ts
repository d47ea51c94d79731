/**
 * A coordinator in a process of its own, so that a test can kill it: `crash-coordinator.js STATE OPERATION.json`. It
 * tells its port to whoever spawned it, and starts the operation when its journal has none; SIGUSR2 aborts whatever is
 * unfinished, SIGHUP ends it without closing anything.
 */
import { readFileSync } from "node:fs";
import { startCore } from "#coordinator/core.ts";
import type { NewOperation } from "#coordinator/operations/start-operation.ts";
import { quickSettings, quietLog } from "./test-coordinator.ts";

const [state = "", operationFile = ""] = process.argv.slice(2);
const core = await startCore(quickSettings(state), quietLog);
process.send?.(core.agentPort);
if (core.ports.store.operations().length === 0) {
  core.runner.start(JSON.parse(readFileSync(operationFile, "utf8")) as NewOperation); // the test wrote it
}
process.once("SIGTERM", () => {
  void core[Symbol.asyncDispose]().then(() => process.exit(0));
});
process.on("SIGUSR2", () => {
  for (const { id } of core.ports.store.operations({ unfinished: true })) core.runner.abort(id);
});
process.once("SIGHUP", () => process.exit(3));
