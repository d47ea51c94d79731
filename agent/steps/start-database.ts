import * as z from "zod";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { resolvedPath } from "../adapters/local-system.ts";
import { readFrom } from "../adapters/pool-process.ts";
import type { JobState, StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findPostmaster, type Postmaster } from "./postmaster.ts";
import { flag, text } from "./row-values.ts";
import { serverActivity, startArguments, startLog } from "./server-start.ts";
import { standbyMarkerFile, standbyStyleOf } from "./standby-marker.ts";
import type { ChangeStep } from "./step.ts";
import { watchProgress } from "./watch-progress.ts";

type Args = CommandArgs<"start-database">;

const ServerFacts = z.object({
  /** The start program's own log, when we made it outside the data directory. */
  madeLog: z.string().nullable(),
  /** Of that log before the newest start: what was said earlier is about another one. */
  logSize: z.number().default(0),
});

/**
 * Starts the new server in the site's way. In `ctl` mode the product's control program runs as a detached job, so
 * neither it nor the server is the agent's child or shares its session; in `unit` mode systemd starts the site's unit.
 * The job is never ended by its group: before version 11 the server is a member of it.
 */
export const startDatabase: ChangeStep<"start-database"> = {
  check: async (args, context) => {
    const standby = await lookAtServer(args, context);
    return standby === null
      ? null
      : evidence([standby], { alreadyDone: !(await isOurs(args, context)) });
  },
  apply: async (args, context) => {
    const job = await context.jobs.look(jobName(context));
    const running = await findPostmaster(args.dataDirectory, context);
    if (running === null && job?.status !== "running") {
      await assertStandby(args, context);
      const log = startLog(args.dataDirectory, context.settings);
      const isNew = log !== null && (await context.files.stat(log)) === null;
      const known = await ownFacts(context, serverKey(args), ServerFacts);
      const madeLog =
        known?.madeLog ?? (isNew && !log.startsWith(`${args.dataDirectory}/`) ? log : null);
      const logSize = log === null ? 0 : ((await context.files.stat(log))?.size ?? 0);
      await noteOwn(context, serverKey(args), { madeLog, logSize });
      await launch(args, context, log);
      crashPoint("step:server-launched");
    }
    await awaitServer(args, context);
  },
  verify: async (args, context): Promise<Evidence> => {
    const standby = await lookAtServer(args, context);
    if (standby === null) {
      throw new Failure("VERIFICATION_FAILED", `no server answers from ${args.dataDirectory}`, {
        retryable: true,
      });
    }
    return evidence([standby]);
  },
  undo: async (args, context) => {
    const facts = await ownFacts(context, serverKey(args), ServerFacts);
    if (facts === null)
      return evidence([`${args.dataDirectory}: no server that this operation started`]);
    const postmaster = await startedPostmaster(args, context);
    // A unit that systemd is about to start has no process yet.
    if (postmaster !== null || context.settings.start.mode === "unit") await stop(args, context);
    crashPoint("step:server-stopped");
    await context.jobs.remove(jobName(context));
    if (facts.madeLog !== null) await context.files.remove(facts.madeLog);
    await context.ledger.delete(serverKey(args));
    return evidence([
      postmaster === null
        ? "the server was stopped already"
        : `the server (pid ${postmaster.pid}) is stopped`,
    ]);
  },
};

async function launch(args: Args, context: StepContext, log: string | null): Promise<void> {
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
  await context.jobs.remove(jobName(context));
  await context.jobs.start({
    name: jobName(context),
    operationId: context.operationId,
    generation: 1,
    program: `${settings.paths.binDirectory}/${product.programs.ctl}`,
    args: startArguments(args.dataDirectory, log, settings),
    env: {},
  });
}

/** Until it gives us a session: consistent, a standby, from the right directory. */
async function awaitServer(args: Args, context: StepContext): Promise<void> {
  const log = startLog(args.dataDirectory, context.settings);
  await watchProgress(
    context,
    { stallMs: args.stallMs, everyMs: 50, what: "the start of the server" },
    async () => {
      const job = await context.jobs.look(jobName(context));
      const standby = await lookAtServer(args, context);
      // The control program ends a moment after the server is ready; it may still put files in order.
      if (standby !== null && job?.status !== "running") return { state: "done", value: null };
      if (job !== null && job.status !== "running" && job.exitCode !== 0) {
        throw await startFailed(args, job, log, context);
      }
      const postmaster = await findPostmaster(args.dataDirectory, context);
      if (postmaster === null && job?.status === "ended")
        throw await startFailed(args, job, log, context);
      const said =
        standby === null && postmaster !== null ? await saidSince(args, log, context) : [];
      if (said.some(isTaken)) {
        // It runs on what addresses it could get, and never takes the others later.
        await stop(args, context);
        throw portTaken(said, context);
      }
      const token = await serverActivity(postmaster?.pid ?? null, log, context.files);
      const status = postmaster?.status ?? (postmaster === null ? "not there yet" : "running");
      context.progress({
        doneBytes: null,
        totalBytes: null,
        bytesPerSecond: null,
        note: `the server is ${status}`,
      });
      return { state: "waiting", token, missing: status };
    },
  );
}

async function startFailed(
  args: Args,
  job: JobState,
  log: string | null,
  context: StepContext,
): Promise<Failure> {
  const said = await saidSince(args, log, context);
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

function portTaken(said: readonly string[], { settings }: StepContext): Failure {
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
async function saidSince(
  args: Args,
  log: string | null,
  context: StepContext,
): Promise<readonly string[]> {
  if (log === null || (await context.files.stat(log)) === null) return [];
  const facts = await ownFacts(context, serverKey(args), ServerFacts);
  // A server prints settings that it refuses, connection strings too.
  const text = maskSecrets("other", await readFrom(log, facts?.logSize ?? 0));
  return text.trimEnd().split("\n");
}

/**
 * One line about the server that answers at our own address; null while none does.
 * @throws Failure VERIFICATION_FAILED when it is another one, or no standby
 */
async function lookAtServer(args: Args, context: StepContext): Promise<string | null> {
  const postmaster = await findPostmaster(args.dataDirectory, context);
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
  if ((await resolvedPath(directory)) !== (await resolvedPath(args.dataDirectory))) {
    throw new Failure(
      "VERIFICATION_FAILED",
      `another server answers on port ${context.settings.database.port}: ${directory}`,
      { hint: "Stop it, or give the new node another port." },
    );
  }
  if (!flag(role, "standby")) {
    throw new Failure("VERIFICATION_FAILED", `the server of ${directory} is no standby`, {
      hint: "Stop it at once: it accepts writes that no other node has.",
    });
  }
  return `${directory} answers as a standby, pid ${postmaster.pid}, version ${open.versionNumber}`;
}

async function assertStandby(args: Args, context: StepContext): Promise<void> {
  const { files } = context;
  const style = await standbyStyleOf(args.dataDirectory, context);
  const marker = `${args.dataDirectory}/${standbyMarkerFile(style)}`;
  if ((await files.stat(marker)) !== null) return;
  const incomplete = (await files.stat(`${args.dataDirectory}/${incompleteMarker}`)) !== null;
  throw new Failure(
    "REFUSED",
    `${args.dataDirectory} has no ${standbyMarkerFile(style)}${incomplete ? ` but ${incompleteMarker}` : ""}: it would open as a primary`,
    { hint: "The node's files must be written first." },
  );
}

/** The control program may be about to start the server: it has a process, or none will come, when this answers. */
async function startedPostmaster(args: Args, context: StepContext): Promise<Postmaster | null> {
  return watchProgress(
    context,
    { stallMs: args.stallMs, everyMs: 20, what: "the control program" },
    async () => {
      const job = await context.jobs.look(jobName(context));
      const value = await findPostmaster(args.dataDirectory, context);
      if (value !== null || job?.status !== "running") return { state: "done", value };
      return { state: "waiting", token: "starting", missing: `it runs as pid ${job.pid}` };
    },
  );
}

/** Fast: sessions are ended, the data is flushed. Waits as long as there is progress. */
async function stop(args: Args, context: StepContext): Promise<void> {
  const { settings, product } = context;
  const { start } = settings;
  const ctl = `${settings.paths.binDirectory}/${product.programs.ctl}`;
  const result =
    start.mode === "unit"
      ? await context.programs.run("/usr/bin/systemctl", ["--no-ask-password", "stop", start.unit])
      : await context.programs.run(ctl, ["-D", args.dataDirectory, "-m", "fast", "-W", "stop"]);
  await watchProgress(
    context,
    { stallMs: args.stallMs, everyMs: 50, what: "the stop of the server" },
    async () => {
      const postmaster = await findPostmaster(args.dataDirectory, context);
      if (postmaster === null) return { state: "done", value: null };
      const token = await serverActivity(postmaster.pid, null, context.files);
      const said = result.stderr.at(-1) ?? `exit code ${result.exitCode}`;
      return { state: "waiting", token, missing: `pid ${postmaster.pid} is still there (${said})` };
    },
  );
}

async function isOurs(args: Args, context: StepContext): Promise<boolean> {
  return (await ownFacts(context, serverKey(args), ServerFacts)) !== null;
}

function serverKey(args: Args): string {
  return ledgerKey.server(args.dataDirectory);
}

function jobName(context: StepContext): string {
  return `start-database.${context.operationId}`;
}
