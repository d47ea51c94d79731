import { Failure } from "#shared/errors.ts";
import { liveProcess } from "../adapters/local-processes.ts";
import { isServerOf } from "../observe/database-disk.ts";
import type { StepContext } from "../ports.ts";

export type Postmaster = {
  readonly pid: number;
  /** Last line from version 10 on: starting, stopping, ready, standby; null before. */
  readonly status: string | null;
};

/** The live postmaster of a data directory, by its pid file; null where none lives. */
export async function findPostmaster(
  dataDirectory: string,
  { files, product }: Pick<StepContext, "files" | "product">,
): Promise<Postmaster | null> {
  for (const name of new Set(["postmaster.pid", product.files.pid])) {
    const file = await files.read(`${dataDirectory}/${name}`);
    const lines = (file?.text ?? "").split("\n");
    const pid = Number(lines[0]);
    if (!Number.isInteger(pid) || pid <= 1) continue;
    const process = liveProcess(pid);
    // A pid file outlives its server; another process may have the number by now.
    if (process === null || !(await isServerOf(product, dataDirectory, process))) continue;
    return { pid, status: lines[7]?.trim() || null };
  }
  return null;
}

export async function assertStopped(
  dataDirectory: string,
  context: Pick<StepContext, "files" | "product">,
): Promise<void> {
  const postmaster = await findPostmaster(dataDirectory, context);
  if (postmaster === null) return;
  throw new Failure("REFUSED", `a server runs on ${dataDirectory} (pid ${postmaster.pid})`, {
    hint: "Stop it first; its files are left alone.",
  });
}
