import type { BackendRow } from "#shared/domain/commands.ts";
import {
  backends,
  type PoolConf,
  type BackendRow as FileRow,
} from "#shared/config-files/pool-conf.ts";
import { Failure } from "#shared/errors.ts";
import type { Pcp } from "../adapters/pcp.ts";
import type { PcpNode } from "../adapters/pcp-output.ts";
import type { StepContext } from "../ports.ts";
import { ownPool, readPoolConf, runningPool } from "./pool-place.ts";

/** `192.168.4.159:54321`, as people say a backend. */
export function placeOf(row: { readonly hostname: string; readonly port: number | null }): string {
  return `${row.hostname}:${row.port ?? "?"}`;
}

/** The row of that id in the file if it is this very backend; null where the id is free. @throws ALREADY_EXISTS */
export function rowInFile(conf: PoolConf, row: BackendRow, file: string): FileRow | null {
  const rows = backends(conf);
  const elsewhere = rows.find(
    (other) => other.id !== row.id && other.hostname === row.hostname && other.port === row.port,
  );
  if (elsewhere !== undefined) {
    throw new Failure(
      "ALREADY_EXISTS",
      `${placeOf(row)} is already backend ${elsewhere.id} in ${file}, not ${row.id}`,
      { hint: "Plan again: the id is taken from the files as they are now." },
    );
  }
  const found = rows.find(({ id }) => id === row.id);
  if (found === undefined) return null;
  if (
    found.hostname === row.hostname &&
    found.port === row.port &&
    found.dataDirectory === row.dataDirectory
  ) {
    return found;
  }
  throw new Failure(
    "ALREADY_EXISTS",
    `backend ${row.id} in ${file} is ${placeOf(found)} with ${found.dataDirectory ?? "no data directory"}; ` +
      `wanted is ${placeOf(row)} with ${row.dataDirectory}`,
    { hint: "Rows are never changed or renumbered. Plan again with the next free id." },
  );
}

/** The row as the running pool has it; null where it has none of that id. @throws ALREADY_EXISTS for another backend */
export async function rowInPool(pcp: Pcp, row: BackendRow): Promise<PcpNode | null> {
  const found = await pcp.node(row.id);
  if (found === null) return null;
  if (found.hostname === row.hostname && found.port === row.port) return found;
  throw new Failure(
    "ALREADY_EXISTS",
    `backend ${row.id} of the running pool is ${placeOf(found)}, not ${placeOf(row)}`,
    {
      hint: "A running pool keeps a row until its next restart. Plan again with the next free id.",
    },
  );
}

/** For an undo: a pool that does not run has nothing to detach. One that runs and does not answer is a failure. */
export async function isStopped(
  pcp: Pcp,
  row: BackendRow,
  context: Pick<StepContext, "settings" | "files" | "rootHelper">,
): Promise<boolean> {
  try {
    await pcp.node(row.id);
    return false;
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "POOL_UNREACHABLE") throw error;
    const { conf } = await readPoolConf(ownPool(context).configFile, context);
    if ((await runningPool(conf, context)) !== null) throw error;
    return true;
  }
}

export function notLoaded(row: BackendRow): Failure {
  return new Failure("REFUSED", `this pool has not loaded backend ${row.id} ${placeOf(row)}`, {
    hint: "The row must be in the pool's file and loaded (append-backend) before it is attached.",
  });
}
