import { incompleteMarker } from "#shared/domain/names.ts";
import type { Product } from "#shared/products/product.ts";
import { liveProcess, pidInFile, type LocalProcess } from "../adapters/local-processes.ts";
import { fileSignature, readSmallFile, resolvedPath } from "../adapters/local-system.ts";

/** What the data directory and the process table say, with no session. */
export type DatabaseOnDisk = {
  readonly exists: boolean;
  /** The postmaster that works in this directory. */
  readonly postmaster: LocalProcess | null;
  /** A pid file names a process that is gone: the server ended without a clean stop. */
  readonly stalePid: number | null;
  readonly hasStandbyMarker: boolean;
  readonly hasIncompleteMarker: boolean;
};

/** Names that a vendor's build may keep for the server process besides its program's. */
const serverNames: ReadonlySet<string> = new Set(["postgres", "postmaster"]);

export async function databaseOnDisk(
  product: Product,
  dataDirectory: string,
): Promise<DatabaseOnDisk> {
  const version =
    (await readSmallFile(`${dataDirectory}/${product.files.version}`)) ??
    (await readSmallFile(`${dataDirectory}/PG_VERSION`));
  const isThere = async (name: string): Promise<boolean> =>
    (await fileSignature(`${dataDirectory}/${name}`)) !== null;
  const hasIncompleteMarker = await isThere(incompleteMarker);
  if (version === null) {
    return {
      exists: false,
      postmaster: null,
      stalePid: null,
      hasStandbyMarker: false,
      hasIncompleteMarker,
    };
  }
  const style = product.standbyStyle(versionNumberOf(version));
  const markers = style === "standby-signal" ? ["standby.signal"] : ["recovery.conf"];
  const found = await Promise.all(markers.map(isThere));
  return {
    exists: true,
    hasStandbyMarker: found.includes(true),
    hasIncompleteMarker,
    ...(await postmasterOf(product, dataDirectory)),
  };
}

async function postmasterOf(
  product: Product,
  dataDirectory: string,
): Promise<Pick<DatabaseOnDisk, "postmaster" | "stalePid">> {
  let stalePid: number | null = null;
  for (const name of new Set(["postmaster.pid", product.files.pid])) {
    const pid = await pidInFile(`${dataDirectory}/${name}`);
    if (pid === null) continue;
    const process = liveProcess(pid);
    if (process !== null && (await isServerOf(product, dataDirectory, process))) {
      return { postmaster: process, stalePid: null };
    }
    stalePid = pid;
  }
  return { postmaster: null, stalePid };
}

/** Pids are used again: a postmaster has its program's name and works in its data directory. */
export async function isServerOf(
  product: Product,
  dataDirectory: string,
  process: LocalProcess,
): Promise<boolean> {
  const name = process.name;
  if (name !== product.programs.server.slice(0, 15) && !serverNames.has(name)) return false;
  if (process.workingDirectory === null) return true;
  return process.workingDirectory === (await resolvedPath(dataDirectory));
}

/** `15` is 150000, `9.6` is 90600; 0 where it is no number: only asked for the standby's style. */
function versionNumberOf(text: string): number {
  const match = /^(\d+)(?:\.(\d+))?/.exec(text.trim());
  if (match === null) return 0;
  const major = Number(match[1]);
  return major >= 10 ? major * 10_000 : major * 10_000 + Number(match[2] ?? 0) * 100;
}
