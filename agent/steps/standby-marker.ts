import { parseRecoveryConf } from "#shared/config-files/recovery-conf.ts";
import type { StandbyStyle } from "#shared/products/product.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";

/** How the copied server is told that it is a standby: by the version that stands in its data directory. */
export async function standbyStyleOf(
  dataDirectory: string,
  context: Pick<StepContext, "files" | "product">,
): Promise<StandbyStyle> {
  return context.product.standbyStyle(await copiedVersion(dataDirectory, context));
}

/** The file whose presence makes a server a standby. */
export function standbyMarkerFile(style: StandbyStyle): string {
  return style === "standby-signal" ? "standby.signal" : "recovery.conf";
}

/**
 * Does a marker of a standby lie there? @throws Failure REFUSED where a recovery.conf does that is none: it recovers to a
 * point in time, and opens then (PostgreSQL docs, recovery configuration)
 */
export async function hasStandbyMarker(
  dataDirectory: string,
  context: Pick<StepContext, "files" | "product">,
): Promise<boolean> {
  const style = await standbyStyleOf(dataDirectory, context);
  const path = `${dataDirectory}/${standbyMarkerFile(style)}`;
  const marker = await context.files.read(path);
  if (marker === null || style === "standby-signal") return marker !== null;
  if (parseRecoveryConf(marker.text).standby.standbyMode === true) return true;
  throw new Failure("REFUSED", `${path} recovers to a point in time, and its server opens as a primary then`, {
    hint: "Where that is meant: castellan guard handback, and start it. Where it is not: take the file away.",
  }); // prettier-ignore
}

/** Where the marker lies, and where it is put while a server recovers in single-user mode. */
export async function markerPaths(
  dataDirectory: string,
  context: Pick<StepContext, "files" | "product">,
): Promise<{ readonly marker: string; readonly aside: string }> {
  const marker = `${dataDirectory}/${standbyMarkerFile(await standbyStyleOf(dataDirectory, context))}`;
  return { marker, aside: `${marker}.castellan` };
}

/** One that was put aside by an agent that was killed then. */
export async function returnMarker(
  dataDirectory: string,
  context: Pick<StepContext, "files" | "product">,
): Promise<void> {
  const { marker, aside } = await markerPaths(dataDirectory, context);
  if ((await context.files.stat(aside)) !== null) await context.files.rename(aside, marker);
}

/**
 * Paths of the marker for a directory that is not copied yet. Empty, `standby.signal` is complete, and an empty
 * `recovery.conf` makes the server refuse to start at all: both keep it from opening as a primary.
 */
export async function standbyMarkers(
  dataDirectory: string,
  context: Pick<StepContext, "files" | "product" | "programs" | "settings">,
): Promise<readonly string[]> {
  const program = `${context.settings.paths.binDirectory}/${context.product.programs.server}`;
  const { stdout } = await context.programs.run(program, ["-V"], { timeoutMs: 10_000 });
  const style = context.product.standbyStyle(versionNumberIn(stdout));
  return [`${dataDirectory}/${standbyMarkerFile(style)}`];
}

/** `postgres (PostgreSQL) 15.18` gives 150018. */
function versionNumberIn(text: string): number {
  const match = /(\d+)\.(\d+)/.exec(text);
  return match === null ? 0 : Number(match[1]) * 10_000 + Number(match[2]);
}

/** As a number like 150000 (only the major matters here). `SYS_VERSION`/`PG_VERSION` holds `15`, `10` or `9.6`. */
export async function copiedVersion(
  dataDirectory: string,
  { files, product }: Pick<StepContext, "files" | "product">,
): Promise<number> {
  for (const name of [product.files.version, "PG_VERSION"]) {
    const file = await files.read(`${dataDirectory}/${name}`);
    if (file === null) continue;
    const match = /^(\d+)(?:\.(\d+))?/.exec(file.text);
    return match === null ? 0 : Number(match[1]) * 10_000 + Number(match[2] ?? 0) * 100;
  }
  throw new Failure("NOT_FOUND", `${dataDirectory} has no ${product.files.version}`, {
    hint: "It is not a data directory, or the copy is not complete.",
  });
}
