import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { parseRecoveryConf } from "#shared/config-files/recovery-conf.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import { resolvedPath } from "../adapters/local-system.ts";
import { fileSize, readFrom } from "../adapters/pool-process.ts";
import type { JobState, StepContext } from "../ports.ts";
import { findPostmaster } from "./postmaster.ts";
import { flag, text } from "./row-values.ts";
import { serverActivity, startArguments, startLog } from "./server-start.ts";
import { stopServer } from "./server-stop.ts";
import { standbyMarkerFile, standbyStyleOf } from "./standby-marker.ts";
import { watchProgress } from "./watch-progress.ts";

/** One start of the server on a data directory, by the control program as a job or by the site's unit. */
export type ServerStart = {
  readonly dataDirectory: string;
  /** What it has to come up as; anything else is an error. */
  readonly role: "primary" | "standby";
  readonly stallMs: number;
  /** Of the start program's log before this start: what was said earlier is about another one. */
  readonly logSize: number;
  readonly jobName: string;
  readonly operationId: string;
};

type LaunchContext = Pick<
  StepContext,
  "settings" | "product" | "programs" | "files" | "clock" | "signal" | "jobs" | "databases"
>;

/** Starts it in the site's way, and waits for nothing. */
export async function launchServer(start: ServerStart, context: LaunchContext): Promise<void> {
  const { settings, product } = context;
  if (settings.start.mode === "unit") {
    const { unit } = settings.start;
    const result = await context.programs.run("/usr/bin/systemctl", [
      "--no-ask-password",
      "--no-block",
      "start",
      unit,
    ]);
    if (result.exitCode === 0) return;
    throw new Failure("PROGRAM_FAILED", `systemctl start ${unit} ended with ${result.exitCode}`, {
      hint: "Let the agent's user start it (a polkit rule for this unit), or set start.mode to ctl.",
      evidence: result.stderr,
      retryable: true,
    });
  }
  const log = startLog(start.dataDirectory, settings);
  await context.jobs.remove(start.jobName);
  await context.jobs.start({
    name: start.jobName,
    operationId: start.operationId,
    generation: 1,
    program: `${settings.paths.binDirectory}/${product.programs.ctl}`,
    args: startArguments(start.dataDirectory, log, settings),
    env: {},
  });
}

/** Until it gives us a session: consistent, in its role, from the right directory. */
export async function awaitServer(
  start: ServerStart,
  context: LaunchContext,
  onProgress: (note: string) => void,
): Promise<void> {
  const { dataDirectory, stallMs, role } = start;
  const log = startLog(dataDirectory, context.settings);
  await watchProgress(
    context,
    { stallMs, everyMs: 50, what: "the start of the server" },
    async () => {
      const job = await context.jobs.look(start.jobName);
      const seen = await lookAtServer(dataDirectory, context, role);
      // The control program ends a moment after the server is ready; it may still put files in order.
      if (seen !== null && job?.status !== "running") return { state: "done", value: null };
      if (job !== null && job.status !== "running" && job.exitCode !== 0) {
        throw await startFailed(start, job, log, context);
      }
      const postmaster = await findPostmaster(dataDirectory, context);
      if (postmaster === null && job?.status === "ended")
        throw await startFailed(start, job, log, context);
      const said = seen === null && postmaster !== null ? await saidSince(start, log) : [];
      if (said.some(isTaken)) {
        // It runs on what addresses it could get, and never takes the others later.
        await stopServer(start, context);
        throw portTaken(said, context);
      }
      const token = await serverActivity(postmaster?.pid ?? null, log, context.files);
      const status = postmaster?.status ?? (postmaster === null ? "not there yet" : "running");
      onProgress(`the server is ${status}`);
      return { state: "waiting", token, missing: status };
    },
  );
  await context.jobs.remove(start.jobName);
}

async function startFailed(
  start: ServerStart,
  job: JobState,
  log: string | null,
  context: LaunchContext,
): Promise<Failure> {
  const said = await saidSince(start, log);
  if (said.some(isTaken)) return portTaken(said, context);
  return new Failure("PROGRAM_FAILED", `the server did not start (${job.exitCode ?? "killed"})`, {
    hint: log === null ? "Look into the unit's journal." : `Look into ${log}.`,
    evidence: [...job.stderr.slice(-6), ...said.slice(-12)],
    retryable: true,
  });
}

/** PostgreSQL's own words, of which the last ones are the system's. */
function isTaken(line: string): boolean {
  return /could not (?:bind|create).*Address already in use/.test(line);
}

function portTaken(said: readonly string[], { settings }: LaunchContext): Failure {
  const { port } = settings.database;
  return new Failure(
    "RESOURCE_MISSING",
    `port ${port} is taken on this host: no server can start`,
    {
      hint: `See who has it (ss -ltnp 'sport = :${port}') and end that.`,
      evidence: said.filter(isTaken),
      retryable: true,
    },
  );
}

/** The log's lines since the newest start of ours. */
async function saidSince({ logSize }: ServerStart, log: string | null): Promise<readonly string[]> {
  if (log === null || (await fileSize(log)) === null) return [];
  // A server prints settings that it refuses, connection strings too.
  const text = maskSecrets("other", await readFrom(log, logSize));
  return text.trimEnd().split("\n");
}

/**
 * One line about the server that answers at our own address; null while none does.
 * @throws Failure VERIFICATION_FAILED when it is another one, or not in that role
 */
export async function lookAtServer(
  dataDirectory: string,
  context: LaunchContext,
  wanted: ServerStart["role"] = "standby",
): Promise<string | null> {
  const postmaster = await findPostmaster(dataDirectory, context);
  if (postmaster === null || postmaster.status === "starting") return null;
  const session = await context.databases
    .connectOwn(context.settings.database.name)
    .catch((error: unknown) => {
      if (error instanceof Failure && error.code === "DATABASE_UNREACHABLE") return null;
      throw error;
    });
  if (session === null) return null;
  await using open = session;
  const [place] = await open.query("SHOW data_directory");
  const directory = place === undefined ? "" : text(place, "data_directory");
  const dialect = context.product.dialect(open.versionNumber);
  const [role] = await open.query(dialect.isInRecovery);
  if ((await resolvedPath(directory)) !== (await resolvedPath(dataDirectory))) {
    throw new Failure(
      "VERIFICATION_FAILED",
      `another server answers on port ${context.settings.database.port}: ${directory}`,
      { hint: "Stop it, or give the new node another port." },
    );
  }
  if (flag(role, "standby") !== (wanted === "standby")) {
    throw new Failure("VERIFICATION_FAILED", `the server of ${directory} is no ${wanted}`, {
      hint:
        wanted === "standby"
          ? "Stop it at once: it accepts writes that no other node has."
          : "Something made it a standby while it was started: see its directory.",
    });
  }
  return `${directory} answers as a ${wanted}, pid ${postmaster.pid}, version ${open.versionNumber}`;
}

/** @throws Failure REFUSED where it would open as a primary */
export async function assertStandby(dataDirectory: string, context: LaunchContext): Promise<void> {
  const { files } = context;
  const style = await standbyStyleOf(dataDirectory, context);
  const marker = await files.read(`${dataDirectory}/${standbyMarkerFile(style)}`);
  // A recovery.conf may also be there to recover to a point in time, and to open then.
  const isOther = style === "recovery-conf" && parseRecoveryConf(marker?.text ?? "").standby.standbyMode !== true; // prettier-ignore
  if (marker !== null && !isOther) return;
  const incomplete = (await files.stat(`${dataDirectory}/${incompleteMarker}`)) !== null;
  throw new Failure(
    "REFUSED",
    `${dataDirectory} has no ${standbyMarkerFile(style)}${marker === null ? "" : " of a standby"}${incomplete ? ` but ${incompleteMarker}` : ""}: it would open as a primary`,
    { hint: "The node's files must be written first." },
  );
}
