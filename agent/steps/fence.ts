import { Failure } from "#shared/errors.ts";
import { processesIn } from "../adapters/local-processes.ts";
import { seeStopped } from "../guard/rejoin/stopped-server.ts";
import { fenceDirectory } from "../guard/steps/write-standby-marker.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { standbyMarkerFile, standbyStyleOf } from "./standby-marker.ts";
import type { SetStep } from "./step.ts";

/** What this answers is the proof that a promotion rests on: from here on this node takes no write. */
export const fence: SetStep<"fence"> = {
  apply: async (_args, context) => {
    await assertNobodyWrites(context);
    await assertWasPrimary(context);
    await fenceDirectory({ ...context, mark: (marks) => context.guardMarks.mark(marks) });
  },
  verify: async (_args, context) => {
    await assertNobodyWrites(context);
    const line = await fenceDirectory({
      ...context,
      mark: (marks) => context.guardMarks.mark(marks),
    });
    const synchronousStandbyNames = await synchronousNames(context);
    const { timeline } = await seeStopped(asGuardStep(context));
    return {
      ...evidence([`the database is stopped on timeline ${timeline}; ${line}`]),
      synchronousStandbyNames,
      timeline,
    };
  },
};

/** Whoever takes a standby for the primary knows nothing of the primary that there may be. */
async function assertWasPrimary(context: StepContext): Promise<void> {
  const { files, guardMarks, settings } = context;
  const { dataDirectory } = settings.paths;
  const marker = `${dataDirectory}/${standbyMarkerFile(await standbyStyleOf(dataDirectory, context))}`;
  if (guardMarks.current().fencedAt !== null || (await files.stat(marker)) === null) return;
  throw new Failure("REFUSED", `${settings.node} was a standby when it stopped`, {
    hint: "castellan status says which node is the primary",
  });
}

/** A postmaster that was killed leaves its sessions behind for a moment, and a busy one still commits. */
async function assertNobodyWrites({ settings }: StepContext): Promise<void> {
  const { dataDirectory } = settings.paths;
  const pids = await processesIn(dataDirectory);
  if (pids.length === 0) return;
  throw new Failure("REFUSED", `a server is at work on ${dataDirectory} (pid ${pids.join(", ")})`, {
    hint: "castellan status",
    retryable: true,
  });
}

/** By the server itself, from all of its files, without a start. */
async function synchronousNames({ settings, product, programs }: StepContext): Promise<string> {
  const { binDirectory, configFile, dataDirectory } = settings.paths;
  const program = `${binDirectory}/${product.programs.server}`;
  const place = ["-D", dataDirectory, "-c", `config_file=${configFile}`];
  const result = await programs.run(program, [...place, "-C", "synchronous_standby_names"], {
    timeoutMs: 10_000,
  });
  if (result.exitCode === 0) return result.stdout.trim();
  throw new Failure("PROGRAM_FAILED", `${program} -C ended with ${result.exitCode ?? "a signal"}`, {
    evidence: result.stderr,
  });
}
