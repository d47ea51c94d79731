// Runs single steps of the agent on a host of the lab, with the agent's own adapters and without a
// coordinator: a command a line on standard input, an outcome a line on standard output.
import { createInterface } from "node:readline";
import * as z from "zod";
import { createDatabases } from "#agent/adapters/databases.ts";
import { createFiles } from "#agent/adapters/files.ts";
import { createLedger } from "#agent/adapters/ledger.ts";
import { openClusterView } from "#agent/guard/cluster-view-file.ts";
import { openDecisionRing } from "#agent/guard/decision-ring.ts";
import { openGuardModes } from "#agent/guard/guard-modes.ts";
import { openGuardMarks } from "#agent/guard/marks.ts";
import { createReservations } from "#agent/guard/reservations.ts";
import { createJobs } from "#agent/adapters/jobs.ts";
import { createProgramRunner, createPrograms } from "#agent/adapters/programs.ts";
import { createRootHelper } from "#agent/adapters/root-helper-client.ts";
import { createSecrets } from "#agent/adapters/secrets.ts";
import { executeCommand } from "#agent/execute-command.ts";
import type { StepContext } from "#agent/ports.ts";
import { AgentSettings } from "#agent/settings.ts";
import { appendBackend } from "#agent/steps/append-backend.ts";
import { attachBackend } from "#agent/steps/attach-backend.ts";
import { holdDoor } from "#agent/steps/hold-door.ts";
import { proveBackend } from "#agent/steps/prove-backend.ts";
import { proveReads } from "#agent/steps/prove-reads.ts";
import { registerHaLists } from "#agent/steps/register-ha-lists.ts";
import { releaseDoor } from "#agent/steps/release-door.ts";
import { restoreFile } from "#agent/steps/restore-file.ts";
import type { Executors } from "#agent/steps/step.ts";
import { CommandEnvelope, SecretName } from "#shared/domain/commands.ts";
import { asFailure } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";
import { productOf } from "#shared/products/product.ts";
import { systemClock } from "#shared/time.ts";

const Start = z.strictObject({
  settings: AgentSettings,
  home: z.string(),
  secrets: z.partialRecord(SecretName, z.string()),
});

const executors: Partial<Executors> = {
  "append-backend": appendBackend,
  "attach-backend": attachBackend,
  "hold-door": holdDoor,
  "release-door": releaseDoor,
  "prove-backend": proveBackend,
  "prove-reads": proveReads,
  "register-ha-lists": registerHaLists,
  "restore-file": restoreFile,
};

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await lines.next();
const start = Start.parse(JSON.parse(first.done === true ? "" : first.value));
const context = await wire(start);
for (;;) {
  const line = await lines.next();
  if (line.done === true) break;
  const command = CommandEnvelope.parse(JSON.parse(line.value));
  void run(command).then((outcome) =>
    process.stdout.write(`${JSON.stringify({ id: command.id, ...outcome })}\n`),
  );
}
// What opened the pool's door ends with its input.
process.exit(0);

async function run(command: CommandEnvelope): Promise<object> {
  try {
    const own = { operationId: command.operationId ?? "op-00000000", stepId: command.stepId };
    const signal = new AbortController().signal;
    const stepContext = { ...context, ...own, signal, progress: () => undefined };
    const result = await executeCommand(executors, command, stepContext, async () => undefined);
    return { result };
  } catch (error) {
    const { code, message, hint, evidence, retryable } = asFailure(error);
    return { failure: { code, message, hint: hint ?? null, evidence, retryable } };
  }
}

async function wire({ settings, home, secrets: given }: z.infer<typeof Start>) {
  const { stateDirectory } = settings;
  const clock = systemClock;
  const log = createLog("step-program", "silent");
  const secrets = await createSecrets(stateDirectory);
  for (const name of SecretName.options) {
    const value = given[name];
    if (value !== undefined) await secrets.set(name, value);
  }
  const runner = createProgramRunner({ home });
  return {
    settings,
    product: productOf(settings.product),
    clock,
    log,
    programs: createPrograms(settings.allow.programs, runner),
    files: await createFiles({
      allowedPaths: settings.allow.paths,
      stateDirectory,
      mostBytes: settings.limits.watchedFileBytes,
      kept: { versions: 20, bytes: 10_000_000 },
      clock,
      expect: () => undefined,
    }),
    databases: createDatabases({
      settings: settings.database,
      secret: (name) => secrets.get(name),
      clock,
      log,
      random: Math.random,
    }),
    secrets,
    rootHelper: createRootHelper({ command: settings.rootHelper, runner, clock, home }),
    ledger: await createLedger(`${stateDirectory}/ledger`),
    guardModes: await openGuardModes({ ...settings, clock }),
    guardMarks: await openGuardMarks(settings),
    reservations: createReservations(clock),
    decisions: await openDecisionRing(stateDirectory),
    clusterView: await openClusterView({ ...settings, log }),
    jobs: await createJobs({
      folder: `${stateDirectory}/jobs`,
      allowedPrograms: settings.allow.programs,
      clock,
      home,
    }),
    observe: () => Promise.reject(new Error("nothing is observed here")),
    guardView: () => null,
    home,
  } satisfies Omit<StepContext, "operationId" | "stepId" | "signal" | "progress">;
}
