import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createDatabases } from "#agent/adapters/databases.ts";
import { createFiles } from "#agent/adapters/files.ts";
import { createJobs } from "#agent/adapters/jobs.ts";
import { createLedger } from "#agent/adapters/ledger.ts";
import { openClusterView } from "#agent/guard/cluster-view-file.ts";
import { openDecisionRing } from "#agent/guard/decision-ring.ts";
import { openGuardModes } from "#agent/guard/guard-modes.ts";
import { openGuardMarks } from "#agent/guard/marks.ts";
import { createReservations } from "#agent/guard/reservations.ts";
import { createProgramRunner, createPrograms } from "#agent/adapters/programs.ts";
import { createSecrets } from "#agent/adapters/secrets.ts";
import type { RootHelper, StepContext } from "#agent/ports.ts";
import { defaultGuard, defaultLimits, type AgentSettings } from "#agent/settings.ts";
import type { NodePaths, ProductId } from "#shared/domain/cluster.ts";
import { commandKinds, type Progress, type SecretName } from "#shared/domain/commands.ts";
import { createLog } from "#shared/log.ts";
import { productOf } from "#shared/products/product.ts";
import { systemClock } from "#shared/time.ts";

export type TestAgentInput = {
  readonly product: ProductId;
  readonly node: string;
  readonly stateDirectory: string;
  readonly allowedPaths: readonly string[];
  readonly paths: NodePaths;
  readonly database: AgentSettings["database"];
  readonly secrets: Readonly<Partial<Record<SecretName, string>>>;
  readonly progress?: Progress[];
  readonly operationId?: string;
  readonly signal?: AbortSignal;
  readonly rootHelper?: RootHelper;
};
export type TestAgent = StepContext & AsyncDisposable;

/** The real adapters of an agent that was just started, and one operation's context. */
export async function createTestAgent(input: TestAgentInput): Promise<TestAgent> {
  const { stateDirectory, paths, progress } = input;
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const settings: AgentSettings = {
    node: input.node,
    coordinator: { url: "wss://127.0.0.1:1/agent", certificateFile: "/x", secretFile: "/x" },
    stateDirectory,
    product: input.product,
    paths,
    database: input.database,
    pool: null,
    rootHelper: input.rootHelper === undefined ? null : ["castellan-root"],
    start: { mode: "ctl" },
    allow: {
      paths: [...input.allowedPaths],
      programs: [paths.binDirectory, "/usr/bin", "/bin"],
      verbs: [...commandKinds],
    },
    guard: defaultGuard,
    limits: defaultLimits,
  };
  const clock = systemClock;
  const log = createLog("test", "silent");
  const secrets = await createSecrets(stateDirectory);
  for (const name of ["database", "replication", "pcp"] as const) {
    const value = input.secrets[name];
    if (value !== undefined) await secrets.set(name, value);
  }
  const databases = createDatabases({
    settings: settings.database,
    secret: (name) => secrets.get(name),
    clock,
    log,
    random: () => 0.5,
  });
  const { programs: allowedPrograms, paths: allowedPaths } = settings.allow;
  return {
    settings,
    product: productOf(input.product),
    clock,
    log,
    programs: createPrograms(allowedPrograms, createProgramRunner({ home: stateDirectory })),
    files: await createFiles({
      allowedPaths,
      stateDirectory,
      mostBytes: defaultLimits.watchedFileBytes,
      kept: { versions: 20, bytes: 10_000_000 },
      clock,
      expect: () => undefined,
    }),
    databases,
    secrets,
    rootHelper: input.rootHelper ?? noRootHelper,
    ledger: await createLedger(join(stateDirectory, "ledger")),
    guardModes: await openGuardModes({ ...settings, clock }),
    guardMarks: await openGuardMarks(settings),
    reservations: createReservations(clock),
    decisions: await openDecisionRing(stateDirectory),
    clusterView: await openClusterView({ ...settings, log }),
    jobs: await createJobs({
      folder: join(stateDirectory, "jobs"),
      allowedPrograms,
      clock,
      home: stateDirectory,
    }),
    observe: () => Promise.reject(new Error("nothing observes here")),
    guardView: () => null,
    home: dirname(stateDirectory),
    operationId: input.operationId ?? "op-abcdefgh",
    stepId: "test",
    signal: input.signal ?? new AbortController().signal,
    progress: (seen) => progress?.push(seen),
    [Symbol.asyncDispose]: () => databases[Symbol.asyncDispose](),
  };
}

const noRootHelper: RootHelper = {
  verbs: async () => [],
  run: () => Promise.reject(new Error("no root helper here")),
  open: () => Promise.reject(new Error("no root helper here")),
};
