import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "#shared/errors.ts";
import { openConnection } from "./connection.ts";

/**
 * One daemon per state directory. The lock is an SQLite write lock on a file of its own: the kernel
 * frees it at any kind of death. The pid file beside it only serves the message.
 * @throws Failure OPERATION_CONFLICT naming the pid of the daemon that has it.
 */
export function takeDaemonLock(stateDirectory: string, pid: number): Disposable {
  const pidFile = join(stateDirectory, "coordinator.pid");
  const lockFile = join(stateDirectory, "coordinator.lock");
  const connection = openConnection(lockFile);
  chmodSync(lockFile, 0o600);
  try {
    connection.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    connection.close();
    if (!(error instanceof Error && "code" in error && error.code === "SQLITE_BUSY")) throw error;
    const holder = readPid(pidFile);
    throw new Failure(
      "OPERATION_CONFLICT",
      `Another coordinator (pid ${holder}) is running on ${stateDirectory}.`,
      {
        hint: `stop it first (systemctl stop castellan-coordinator, or kill ${holder})`,
        cause: error,
      },
    );
  }
  writeFileSync(pidFile, `${pid}\n`, { mode: 0o600 });
  return {
    [Symbol.dispose]: () => {
      connection.exec("ROLLBACK");
      connection.close();
    },
  };
}

function readPid(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "unknown";
  }
}
