import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { JobState } from "../../ports.ts";
import { serverActivity } from "../../steps/server-start.ts";
import { copiedVersion } from "../../steps/standby-marker.ts";
import { watchProgress } from "../../steps/watch-progress.ts";
import type { NewPrimary } from "../new-primary.ts";
import type { GuardStepContext } from "../steps/step.ts";

const jobName = "guard-rewind";
const stallMs = 300_000;
const dryRunMs = 3_600_000;

/** Why this host can't rewind; null where its program fits the server. */
export async function rewindProblem(context: GuardStepContext): Promise<string | null> {
  const { files, programs, settings } = context;
  const program = rewindProgram(context);
  if ((await files.stat(program)) === null) return `there is no ${program}`;
  const { stdout } = await programs.run(program, ["--version"], { timeoutMs: 10_000 });
  const version = await copiedVersion(settings.paths.dataDirectory, context);
  const major = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1];
  const server = Math.floor(version / 10_000);
  return major === undefined || Number(major) === server
    ? null
    : `${program} is of version ${major}, the data directory of ${server}`;
}

/** What the rewind would say, with nothing changed. @throws Failure with its last words */
export async function tryRewind(step: NewPrimary, context: GuardStepContext): Promise<void> {
  const { product, programs, secrets } = context;
  const login = loginTo(step, context);
  await using passwords = await secrets.passwordFile([login]);
  const { exitCode, stderr } = await programs.run(
    rewindProgram(context),
    [...(await rewindArguments(step, context)), "--dry-run"],
    {
      env: { LC_ALL: "C", [product.passwordFileVariable]: passwords.path },
      timeoutMs: dryRunMs,
      signal: context.signal,
    },
  );
  if (exitCode === 0) return;
  throw rewindFailure(`would end with ${exitCode ?? "a signal"}`, stderr, context);
}

/** As a job: it goes on while the agent is restarted. */
export async function startRewind(step: NewPrimary, context: GuardStepContext): Promise<void> {
  const { decisionId, jobs, product, secrets } = context;
  const passwords = await secrets.passwordFile([loginTo(step, context)]);
  try {
    await jobs.remove(jobName);
    await jobs.start({
      name: jobName,
      operationId: decisionId,
      generation: 1,
      program: rewindProgram(context),
      args: await rewindArguments(step, context),
      env: { LC_ALL: "C", [product.passwordFileVariable]: passwords.path },
      whenEnded: { remove: [passwords.path], touchOnSuccess: [] },
    });
  } catch (error) {
    await passwords[Symbol.asyncDispose]();
    throw error;
  }
  crashPoint("guard:rewind-started");
}

/** Also of a job that an agent before this one started. @throws Failure where it did not end well */
export async function followRewind(context: GuardStepContext): Promise<void> {
  const { files, jobs } = context;
  const ended = await watchProgress<JobState | null>(
    context,
    { stallMs, everyMs: 50, what: "the rewind" },
    async () => {
      const job = await jobs.look(jobName);
      if (job === null || job.status !== "running") return { state: "done", value: job };
      const last = job.stderr.at(-1) ?? "";
      const token = `${last} ${await serverActivity(job.pid, null, files)}`;
      return { state: "waiting", token, missing: last };
    },
  ).catch(async (error: unknown) => {
    // Not while the agent merely ends: the job is taken up again.
    if (!context.signal.aborted) await jobs.end(jobName);
    throw error;
  });
  crashPoint("guard:rewind-ended");
  if (ended?.status === "ended" && ended.exitCode === 0) return;
  const how = ended?.exitCode == null ? "was cut off" : `ended with ${ended.exitCode}`;
  throw rewindFailure(how, ended?.stderr ?? [], context);
}

/** What was noted and never started has changed nothing. */
export async function isRewindStarted({ jobs }: GuardStepContext): Promise<boolean> {
  return (await jobs.look(jobName)) !== null;
}

export async function forgetRewind({ jobs }: GuardStepContext): Promise<void> {
  await jobs.remove(jobName);
}

function rewindFailure(
  how: string,
  stderr: readonly string[],
  { product }: GuardStepContext,
): Failure {
  // prettier-ignore
  const evidence = stderr.filter((line) => line.trim() !== "").slice(-6);
  return new Failure(
    "PROGRAM_FAILED",
    `${product.programs.rewind} ${how}: ${evidence.at(-1) ?? "no word"}`,
    {
      // prettier-ignore
      evidence,
      retryable: evidence.some((line) =>
        /could not connect|connection to server|timeout/.test(line),
      ),
    },
  );
}

function rewindProgram({ product, settings }: GuardStepContext): string {
  return `${settings.paths.binDirectory}/${product.programs.rewind}`;
}

function loginTo({ host, port }: NewPrimary, { view }: GuardStepContext) {
  const { name: database = "", maintenanceUser: user = "" } = view.cluster?.database ?? {};
  return { host, port, user, database, replication: false, secret: "database" } as const;
}

async function rewindArguments(
  step: NewPrimary,
  context: GuardStepContext,
): Promise<readonly string[]> {
  const { product, settings } = context;
  const { dataDirectory } = settings.paths;
  const { host, port, user, database } = loginTo(step, context);
  const source = `host=${host} port=${port} user=${quoted(user)} dbname=${quoted(database)}`;
  return product.rewindArguments(
    dataDirectory,
    source,
    await copiedVersion(dataDirectory, context),
  );
}

function quoted(value: string): string {
  return `'${value.replace(/['\\]/g, "\\$&")}'`;
}
