import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import type { NewOperation } from "#coordinator/operations/start-operation.ts";
import { openConnection } from "#coordinator/store/connection.ts";
import { operationRecords } from "#coordinator/store/operation-records.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import type { OperationRecord, Store } from "#coordinator/store/store.ts";
import { hashSecret } from "#coordinator/trust/hashes.ts";
import { projectRoot } from "#test/harness/project-root.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { ScriptedAgent, type Script } from "./scripted-agent.ts";
import { makeStateFolder } from "./test-coordinator.ts";

const program = join(projectRoot(), "dist/test/crash-coordinator.js");

/** The coordinator as a program with its crash points in it. */
export async function buildCrashCoordinator(): Promise<void> {
  await build({
    entryPoints: [join(projectRoot(), "test/integration/coordinator/crash-coordinator.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    define: { CASTELLAN_CRASH_POINTS: "true" },
    external: ["libsql", "pg-native", "bufferutil", "utf-8-validate"],
    banner: {
      js: 'import { createRequire as __r } from "node:module"; const require = __r(import.meta.url);',
    },
    logLevel: "error",
  });
}

export type CrashLab = AsyncDisposable & {
  readonly agent: ScriptedAgent;
  /** A coordinator on the lab's journal; with a crash point it kills itself there. */
  start(crashAt?: string): CrashCoordinator;
  /** What the journal says, read by a connection of its own. */
  journal(): OperationRecord | null;
  /** The accepted version of each watched file of the agent's node. To be asked while no coordinator runs. */
  accepted(): Readonly<Record<string, string | null>>;
};
export type CrashCoordinator = {
  readonly ended: Promise<"SIGKILL" | number | null>;
  readonly kill: (signal: "SIGTERM" | "SIGUSR2" | "SIGHUP" | "SIGKILL") => void;
};

/** One agent that outlives the coordinators, which come and go on one state directory. */
export async function createCrashLab(operation: NewOperation, script: Script): Promise<CrashLab> {
  const folder = await makeStateFolder();
  const operationFile = join(folder.path, "operation.json");
  writeFileSync(operationFile, JSON.stringify(operation));
  // Nobody's, until a coordinator has told its own. A port that is kept for the next one may be taken in between.
  let port = 0;
  const node = "srv127";
  const secret = "secret-of-a-test";
  withStore(folder.path, (store) =>
    store.putAgent({ node, secretHash: hashSecret(secret), joinedAt: 1 }),
  );
  const agent = new ScriptedAgent({
    get port() {
      return port;
    },
    node,
    secret,
    certificatePem: folder.certificatePem,
    script,
    reconnect: true,
  });
  const running = new Set<CrashCoordinator>();
  return {
    agent,
    start: (crashAt) => {
      const child = spawn(process.execPath, [program, folder.path, operationFile], {
        env: { PATH: process.env["PATH"], ...(crashAt && { CASTELLAN_CRASH_AT: crashAt }) },
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      child.once("message", (told) => {
        port = Number(told);
      });
      const coordinator: CrashCoordinator = {
        ended: once(child, "exit").then(([code, signal]) => {
          running.delete(coordinator);
          return signal ?? code;
        }),
        kill: (signal) => child.kill(signal),
      };
      running.add(coordinator);
      return coordinator;
    },
    journal: () => firstOperation(join(folder.path, "journal.db")),
    accepted: () =>
      withStore(folder.path, (store) =>
        Object.fromEntries(store.baselines(node).map(({ path, hash }) => [path, hash])),
      ),
    [Symbol.asyncDispose]: async () => {
      agent[Symbol.dispose]();
      for (const one of running) {
        one.kill("SIGKILL");
        await one.ended;
      }
      folder[Symbol.dispose]();
    },
  };
}

/** Waits until the journal says so, then stops the coordinator. */
export async function endsAs(
  lab: CrashLab,
  coordinator: CrashCoordinator,
  state: OperationRecord["state"],
): Promise<OperationRecord> {
  const record = await Promise.race([
    waitFor(
      () => {
        const found = lab.journal();
        if (found?.state === state) return found;
        const steps = found?.steps.map((step) => step.state).join(", ");
        throw new Error(
          `it is ${found?.state ?? "not in the journal"}; its steps: ${steps ?? "-"}`,
        );
      },
      { what: `operation in state ${state}`, timeoutMs: 20_000 },
    ),
    coordinator.ended.then((how) => {
      throw new Error(`the coordinator ended (${how}) before the operation was ${state}`);
    }),
  ]);
  coordinator.kill("SIGTERM");
  await coordinator.ended;
  return record;
}

function withStore<T>(stateDirectory: string, work: (store: Store) => T): T {
  using store = openStore({
    file: join(stateDirectory, "journal.db"),
    keptEvents: 1_000,
    now: Date.now(),
  });
  return work(store);
}

/** From a copy: the log first, so that what a checkpoint moves meanwhile is in both rather than in neither. */
function firstOperation(file: string): OperationRecord | null {
  const folder = mkdtempSync(join(tmpdir(), "castellan-journal-"));
  const copy = join(folder, "journal.db");
  if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`);
  copyFileSync(file, copy);
  const connection = openConnection(copy);
  try {
    return operationRecords(connection).operations()[0] ?? null;
  } finally {
    connection.close();
    rmSync(folder, { recursive: true });
  }
}
