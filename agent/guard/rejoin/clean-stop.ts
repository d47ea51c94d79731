import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { copiedVersion, markerPaths, returnMarker } from "../../steps/standby-marker.ts";
import { stopServer } from "../../steps/server-stop.ts";
import { startStandby } from "../start-standby.ts";
import type { GuardStepContext } from "../steps/step.ts";
import { putStandbyMarker } from "../steps/write-standby-marker.ts";
import { isCleanlyStopped, seeStopped, type StoppedServer } from "./stopped-server.ts";

const stallMs = 120_000;
/** Recovery has no limit of its own: WAL since the last checkpoint, which max_wal_size bounds. */
const recoveryMs = 3_600_000;

/**
 * A rewind wants a server that was stopped cleanly: one that crashed recovers first, and never takes a write in
 * doing so. From version 13 on as a standby, behind its marker; before, a rewind overlooks what a standby had
 * replayed, so it recovers in single-user mode, which no client can reach.
 */
export async function assureCleanStop(context: GuardStepContext): Promise<StoppedServer> {
  await putMarkerBack(context);
  const found = await seeStopped(context);
  if (isCleanlyStopped(found)) return found;
  const { dataDirectory } = context.settings.paths;
  if ((await copiedVersion(dataDirectory, context)) >= 130_000) {
    await startStandby(context);
    await stopServer({ dataDirectory, stallMs }, context);
  } else {
    await recoverAlone(found, context);
  }
  crashPoint("guard:recovered");
  const now = await seeStopped(context);
  if (isCleanlyStopped(now)) return now;
  throw new Failure("VERIFICATION_FAILED", `after its recovery ${dataDirectory} is "${now.state}"`, { retryable: true }); // prettier-ignore
}

/** Single-user mode refuses to begin beside a standby marker: it stands aside meanwhile. */
async function recoverAlone(found: StoppedServer, context: GuardStepContext): Promise<void> {
  const { files, programs, product, settings } = context;
  const { binDirectory, configFile, dataDirectory } = settings.paths;
  if (found.state === "in archive recovery") {
    throw new Failure("REFUSED", "a standby of this version that crashed can't be rewound");
  }
  const { marker, aside } = await markerPaths(dataDirectory, context);
  await files.rename(marker, aside);
  crashPoint("guard:marker-aside");
  try {
    const { exitCode, stderr } = await programs.run(
      `${binDirectory}/${product.programs.server}`,
      ["--single", "-D", dataDirectory, "-c", `config_file=${configFile}`, "template1"],
      { input: "", env: { LC_ALL: "C" }, timeoutMs: recoveryMs },
    );
    if (exitCode !== 0) {
      throw new Failure(
        "PROGRAM_FAILED",
        `the recovery of ${dataDirectory} ended with ${exitCode ?? "a signal"}`,
        {
          // prettier-ignore
          evidence: stderr.slice(-8),
          retryable: true,
        },
      );
    }
  } finally {
    await putMarkerBack(context);
  }
}

async function putMarkerBack(context: GuardStepContext): Promise<void> {
  await returnMarker(context.settings.paths.dataDirectory, context);
  await putStandbyMarker(context);
}
