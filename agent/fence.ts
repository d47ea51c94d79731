import { incompleteMarker } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import { productOf } from "#shared/products/product.ts";
import { systemClock } from "#shared/time.ts";
import { createFiles } from "./adapters/files.ts";
import { readSmallFile } from "./adapters/local-system.ts";
import { judgeFence, type FenceInput } from "./decide/fence.ts";
import { openGuardModes } from "./guard/guard-modes.ts";
import { openGuardMarks } from "./guard/marks.ts";
import { fenceDirectory } from "./guard/steps/write-standby-marker.ts";
import type { Ports } from "./ports.ts";
import type { AgentSettings } from "./settings.ts";
import { findPostmaster } from "./steps/postmaster.ts";
import { copiedVersion, hasStandbyMarker, returnMarker } from "./steps/standby-marker.ts";

type FencePorts = Pick<Ports, "settings" | "product" | "files" | "clock" | "guardModes" | "guardMarks">; // prettier-ignore

/** The guard stops, decides and starts within this time, or its start has failed. */
const openingMs = 60_000;

/**
 * Before the database may start: asks nobody, and needs neither the agent nor a network. Answers what it did, in one
 * line. @throws Failure REFUSED where nobody may start it
 */
export async function fence(settings: AgentSettings): Promise<string> {
  const clock = systemClock;
  return fenceHost({
    settings,
    product: productOf(settings.product),
    clock,
    files: await createFiles({
      allowedPaths: settings.allow.paths,
      programDirectories: settings.allow.programs,
      stateDirectory: settings.stateDirectory,
      mostBytes: settings.limits.watchedFileBytes,
      kept: { versions: settings.limits.keptFileVersions, bytes: settings.limits.keptFileBytes },
      clock,
      expect: () => undefined,
    }),
    guardModes: await openGuardModes({ ...settings, clock }),
    guardMarks: await openGuardMarks(settings),
  });
}

async function fenceHost(ports: FencePorts): Promise<string> {
  const { dataDirectory } = ports.settings.paths;
  const { do: verdict, why } = judgeFence(await lookBeforeStart(ports));
  switch (verdict) {
    case "leave":
      return `${dataDirectory} is left as it is: ${why}.`;
    case "refuse":
      throw new Failure("REFUSED", `${dataDirectory} must not be started: ${why}`, {
        hint: "castellan operation list: the operation that copies it goes on, or takes it away.",
      });
    case "write-marker": {
      const written = await fenceDirectory({
        ...ports,
        mark: (changed) => ports.guardMarks.mark(changed),
      });
      return `${dataDirectory}: ${written}; ${why}.`;
    }
  }
}

async function lookBeforeStart(ports: FencePorts): Promise<FenceInput> {
  const { guardMarks, guardModes, settings } = ports;
  const { dataDirectory } = settings.paths;
  const directory = await directoryState(ports);
  const serverPid = (await findPostmaster(dataDirectory, ports))?.pid ?? null;
  // Whoever is in charge: it was a standby's when it was put aside.
  if (directory === "database" && serverPid === null) await returnMarker(dataDirectory, ports);
  const { wasPrimary, restartingSince, ranInBoot } = guardMarks.current();
  const bootId = (await readSmallFile("/proc/sys/kernel/random/boot_id"))?.trim();
  // One that only recovers to a point in time is none; it is refused where the fence would write.
  const marker = (): Promise<boolean> => hasStandbyMarker(dataDirectory, ports).catch(() => false);
  return {
    wasPrimary: wasPrimary !== null || guardMarks.trouble() !== null,
    // Not known any more: a former primary that waits for a person is better than a second one.
    isInCharge: guardModes.lasting() === "enforce" || guardModes.trouble() !== null,
    directory,
    serverPid,
    hasStandbyMarker: directory === "database" && (await marker()),
    isOpening:
      restartingSince !== null &&
      // Not by the clock alone: that of a host that lost its power may be set to when it did.
      ranInBoot === bootId &&
      Math.abs(ports.clock.now() - restartingSince) < openingMs,
  };
}

async function directoryState({
  files,
  product,
  settings,
}: FencePorts): Promise<FenceInput["directory"]> {
  const { dataDirectory } = settings.paths;
  if ((await files.stat(dataDirectory)) === null) return "absent";
  if ((await files.stat(`${dataDirectory}/${incompleteMarker}`)) !== null) return "incomplete";
  const hasVersion = await copiedVersion(dataDirectory, { files, product }).catch(() => null);
  return hasVersion === null ? "no-database" : "database";
}
