import * as z from "zod";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findPostmaster, type Postmaster } from "./postmaster.ts";
import {
  assertStandby,
  awaitServer,
  launchServer,
  lookAtServer,
  type ServerStart,
} from "./server-launch.ts";
import { startLog } from "./server-start.ts";
import { stopServer } from "./server-stop.ts";
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
    const standby = await lookAtServer(args.dataDirectory, context);
    // Of a start that was cut off the job is left: it goes once the start is over.
    if (standby === null || (await context.jobs.look(jobName(context))) !== null) return null;
    return evidence([standby], { alreadyDone: !(await isOurs(args, context)) });
  },
  apply: async (args, context) => {
    const job = await context.jobs.look(jobName(context));
    const running = await findPostmaster(args.dataDirectory, context);
    if (running === null && job?.status !== "running") {
      await assertStandby(args.dataDirectory, context);
      const log = startLog(args.dataDirectory, context.settings);
      const isNew = log !== null && (await context.files.stat(log)) === null;
      const known = await ownFacts(context, serverKey(args), ServerFacts);
      const madeLog =
        known?.madeLog ?? (isNew && !log.startsWith(`${args.dataDirectory}/`) ? log : null);
      const logSize = log === null ? 0 : ((await context.files.stat(log))?.size ?? 0);
      await noteOwn(context, serverKey(args), { madeLog, logSize });
      await launchServer(startOf(args, logSize, context), context);
      crashPoint("step:server-launched");
    }
    const facts = await ownFacts(context, serverKey(args), ServerFacts);
    await awaitServer(startOf(args, facts?.logSize ?? 0, context), context, (note) =>
      context.progress({ doneBytes: null, totalBytes: null, bytesPerSecond: null, note }),
    );
  },
  verify: async (args, context): Promise<Evidence> => {
    const standby = await lookAtServer(args.dataDirectory, context);
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
    if (postmaster !== null || context.settings.start.mode === "unit")
      await stopServer(args, context);
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

async function isOurs(args: Args, context: StepContext): Promise<boolean> {
  return (await ownFacts(context, serverKey(args), ServerFacts)) !== null;
}

function startOf(args: Args, logSize: number, context: StepContext): ServerStart {
  return {
    ...args,
    role: "standby",
    logSize,
    jobName: jobName(context),
    operationId: context.operationId,
  };
}

function serverKey(args: Args): string {
  return ledgerKey.server(args.dataDirectory);
}

function jobName(context: StepContext): string {
  return `start-database.${context.operationId}`;
}
