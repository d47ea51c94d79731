import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "#shared/errors.ts";
import { openConnection, type Connection } from "./connection.ts";

/**
 * One daemon per state directory. The lock is an SQLite write lock on a file of its own: the kernel
 * frees it at any kind of death. The pid file beside it only serves the message.
 * @throws Failure OPERATION_CONFLICT naming the pid of the daemon that has it; STORE_UNUSABLE where nothing can be written
 */
export function takeDaemonLock(stateDirectory: string, pid: number): Disposable {
  const pidFile = join(stateDirectory, "coordinator.pid");
  const lockFile = join(stateDirectory, "coordinator.lock");
  let connection: Connection | null = null;
  try {
    connection = openConnection(lockFile);
    chmodSync(lockFile, 0o600);
    connection.exec("BEGIN EXCLUSIVE");
    writeFileSync(pidFile, `${pid}\n`, { mode: 0o600 });
  } catch (error) {
    connection?.close();
    throw isHeld(error) ? heldBy(readPid(pidFile), stateDirectory, error) : unusable(stateDirectory, error); // prettier-ignore
  }
  const held = connection;
  return {
    [Symbol.dispose]: () => {
      held.exec("ROLLBACK");
      held.close();
    },
  };
}

function isHeld(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "SQLITE_BUSY";
}

function heldBy(holder: string, stateDirectory: string, cause: unknown): Failure {
  return new Failure(
    "OPERATION_CONFLICT",
    `Another coordinator (pid ${holder}) is running on ${stateDirectory}.`,
    { hint: `stop it first (systemctl stop castellan-coordinator, or kill ${holder})`, cause },
  );
}

function unusable(stateDirectory: string, cause: unknown): Failure {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Failure(
    "STORE_UNUSABLE",
    `The state directory ${stateDirectory} can't be used: ${message}.`,
    { hint: "check its disk (full? read-only?) and its owner; nothing was changed", cause },
  );
}

function readPid(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "unknown";
  }
}
