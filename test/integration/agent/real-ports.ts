import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
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
import { createRootHelper } from "#agent/adapters/root-helper-client.ts";
import { createSecrets } from "#agent/adapters/secrets.ts";
import { joinSettings, type JoinInput } from "#agent/join-settings.ts";
import type { Ports } from "#agent/ports.ts";
import { Failure } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";
import { productOf } from "#shared/products/product.ts";
import { systemClock } from "#shared/time.ts";

export type PortsHome = AsyncDisposable & { readonly folder: string; readonly ports: Ports };

export const joinDefaults: JoinInput = {
  coordinator: { host: "127.0.0.1", port: 7443 },
  node: "srv159",
  product: "postgresql",
  home: "/home/postgres",
  stateDirectory: "/var/lib/castellan-agent",
  root: null,
  binDirectory: null,
  dataDirectory: null,
  configFile: null,
  hbaFile: null,
  identFile: null,
  port: null,
  databaseHost: null,
  databaseUser: null,
  databaseName: null,
  pool: null,
  start: { mode: "ctl" },
  rootHelper: null,
  morePaths: [],
  morePrograms: [],
};

/** The real adapters in a folder of their own; there is no database behind them. */
export async function openPorts(more: Partial<JoinInput> = {}): Promise<PortsHome> {
  const folder = await mkdtemp(join(tmpdir(), "castellan-ports-"));
  const stateDirectory = join(folder, "state");
  await mkdir(stateDirectory, { mode: 0o700 });
  const settings = joinSettings({
    ...joinDefaults,
    stateDirectory,
    dataDirectory: join(folder, "data"),
    port: 1,
    ...more,
  });
  const clock = systemClock;
  const log = createLog("test", "silent");
  const runner = createProgramRunner({ home: homedir() });
  const secrets = await createSecrets(stateDirectory);
  const databases = createDatabases({
    settings: settings.database,
    secret: (name) => secrets.get(name),
    clock,
    log,
    random: () => 0.5,
  });
  const ports: Ports = {
    settings,
    product: productOf(settings.product),
    clock,
    log,
    programs: createPrograms(settings.allow.programs, runner),
    files: await createFiles({
      allowedPaths: settings.allow.paths,
      stateDirectory,
      mostBytes: 1_000_000,
      kept: { versions: 20, bytes: 10_000_000 },
      clock,
      expect: () => undefined,
    }),
    databases,
    secrets,
    rootHelper: createRootHelper({ command: settings.rootHelper, runner, clock, home: "/" }),
    ledger: await createLedger(join(stateDirectory, "ledger")),
    guardModes: await openGuardModes({ ...settings, clock }),
    guardMarks: await openGuardMarks(settings),
    reservations: createReservations(clock),
    decisions: await openDecisionRing(stateDirectory),
    clusterView: await openClusterView({ ...settings, log }),
    jobs: await createJobs({
      folder: join(stateDirectory, "jobs"),
      allowedPrograms: settings.allow.programs,
      clock,
      home: homedir(),
    }),
    observe: () => Promise.reject(new Failure("DATABASE_UNREACHABLE", "nothing to observe here")),
    guardView: () => null,
    home: folder,
  };
  return {
    folder,
    ports,
    [Symbol.asyncDispose]: async () => {
      await databases[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
