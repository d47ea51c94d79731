import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { uptime } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import type { Log } from "#shared/log.ts";
import { productOf } from "#shared/products/product.ts";
import { systemClock } from "#shared/time.ts";
import { version } from "#shared/version.ts";
import { Failure } from "#shared/errors.ts";
import { createLinkOpener } from "./adapters/coordinator-link.ts";
import { createDatabases } from "./adapters/databases.ts";
import { createFiles } from "./adapters/files.ts";
import { takeInstanceLock } from "./adapters/instance-lock.ts";
import { filesOfJobs } from "./adapters/job-folder.ts";
import { createJobs } from "./adapters/jobs.ts";
import { createLedger } from "./adapters/ledger.ts";
import type { VersionLimits } from "./adapters/previous-versions.ts";
import { createProgramRunner, createPrograms } from "./adapters/programs.ts";
import { openRecordFolder } from "./adapters/record-folder.ts";
import { createRootHelper } from "./adapters/root-helper-client.ts";
import type { SmallHeap } from "./adapters/small-heap.ts";
import { createSecrets, readSecret } from "./adapters/secrets.ts";
import { copyAttributes } from "./adapters/copy-attributes.ts";
import { ClosingStack } from "./closing-stack.ts";
import { createCommandRunner } from "./command-runner.ts";
import { CommandRecord, createCommandsOnDisk } from "./commands-on-disk.ts";
import { openClusterView } from "./guard/cluster-view-file.ts";
import { openMajorityContact } from "./guard/majority-contact.ts";
import { openDecisionRing } from "./guard/decision-ring.ts";
import { openGuardModes } from "./guard/guard-modes.ts";
import { openGuardMarks } from "./guard/marks.ts";
import { createReservations } from "./guard/reservations.ts";
import { createLoop } from "./loop.ts";
import type { Ports } from "./ports.ts";
import { createSession } from "./session.ts";
import type { AgentSettings } from "./settings.ts";
import { executors } from "./steps/executors.ts";
import { createAddressWatch } from "./watch/address-watch.ts";
import { createExpectedChanges } from "./watch/expected-changes.ts";
import { createWakefulness } from "./wakefulness.ts";

export type AgentOptions = {
  readonly settings: AgentSettings;
  readonly log: Log;
  readonly pid: number;
  /** Of the agent's user. */
  readonly home: string;
  readonly heap: Pick<SmallHeap, "collectSoon">;
  /** Of systemd, which starts this program again; null without. */
  readonly watchdogMs: number | null;
};

/** How long a step that is told to stop may take to hand itself back. */
const stopGraceMs = 3_000;

/** Everything of the agent, opened in the order in which each needs the other; disposed in reverse. */
export async function startAgent(options: AgentOptions): Promise<AsyncDisposable> {
  const { settings, log, home } = options;
  const clock = systemClock;
  const below = (name: string): string => join(settings.stateDirectory, name);
  const stack = new ClosingStack();
  try {
    stack.use(await takeInstanceLock(settings.stateDirectory, options.pid));
    const certificatePem = await readFile(settings.coordinator.certificateFile, "utf8");
    const secret = await readSecret(settings.coordinator.secretFile, "the agent's secret");
    if (secret === null) throw notJoined(settings);

    const secrets = await createSecrets(settings.stateDirectory);
    await secrets.sweepPasswordFiles(await filesOfJobs(below("jobs")));
    const expected = createExpectedChanges();
    const runner = createProgramRunner({ home });
    const databases = stack.use(
      createDatabases({
        settings: settings.database,
        secret: (name) => secrets.get(name),
        clock,
        log,
        random: Math.random,
      }),
    );
    const programs = createPrograms(settings.allow.programs, runner);
    const ports: Ports = {
      settings,
      product: productOf(settings.product),
      clock,
      log,
      programs,
      files: await createFiles({
        allowedPaths: settings.allow.paths,
        programDirectories: settings.allow.programs,
        stateDirectory: settings.stateDirectory,
        mostBytes: settings.limits.watchedFileBytes,
        kept: keptLimits(settings),
        copyAttributes: (from, to) => copyAttributes(programs, from, to),
        clock,
        expect: (path, hash, from) => expected.expect(path, hash, from),
      }),
      databases,
      secrets,
      rootHelper: createRootHelper({ command: settings.rootHelper, runner, clock, home }),
      ledger: await createLedger(below("ledger")),
      jobs: await createJobs({
        folder: below("jobs"),
        allowedPrograms: settings.allow.programs,
        clock,
        home,
      }),
      guardModes: await openGuardModes({ ...settings, clock }),
      guardMarks: await openGuardMarks(settings),
      reservations: createReservations(clock),
      decisions: await openDecisionRing(settings.stateDirectory, (made) => session.decision(made)),
      clusterView: await openClusterView({ ...settings, log }),
      observe: () => loop.observeNow(),
      guardView: () => loop.guardView(),
      home,
    };
    const startedAt = clock.now();
    const wakefulness = createWakefulness({
      uptimeMs: () => uptime() * 1_000,
      wallMs: () => clock.now(),
      everyMs: 1_000,
      limitMs: settings.limits.standstillMs,
    });
    stack.defer(async () => wakefulness[Symbol.dispose]());
    const commandRunner = await createCommandRunner({
      ports,
      executors,
      wakefulness,
      guardAtRest: (classes) => loop.guardAtRest(classes),
      disk: createCommandsOnDisk(
        stack.use(await openRecordFolder(below("commands"), CommandRecord)),
        stack.use(await openRecordFolder(below("epoch"), z.number())),
        settings.limits.keptResults,
      ),
      listener: {
        onAccepted: (id) => session.commandAccepted(id),
        onProgress: (id, progress) => session.commandProgress(id, progress),
        onEnded: (ended) => {
          session.commandEnded(ended);
          loop.wake("command-ended");
          // A sample of the bandwidth alone leaves tens of megabytes.
          options.heap.collectSoon();
        },
      },
    });
    const session = stack.use(
      createSession({
        node: settings.node,
        instanceId: randomUUID(),
        openLink: createLinkOpener({
          url: settings.coordinator.url,
          certificatePem,
          node: settings.node,
          secret,
          connectTimeoutMs: 5_000,
        }),
        backoff: {
          firstMs: settings.limits.reconnectFirstMs,
          mostMs: settings.limits.reconnectMostMs,
        },
        clock,
        log,
        random: Math.random,
        makeId: randomUUID,
        runner: commandRunner,
        decisions: ports.decisions,
        reserve: (operationId, classes, forMs) => {
          ports.reservations.take(operationId, classes, forMs);
        },
        observeNow: () => loop.observeNow(),
        setBaselines: (files) => loop.setBaselines(files),
        setCluster: (cluster, view) => loop.setCluster(cluster, view),
        setSights: (peers) => loop.setSights(peers),
      }),
    );
    const majorityContact = stack.use(await openMajorityContact(settings.stateDirectory));
    const loop = stack.use(
      createLoop({
        ports,
        expected,
        startedAt,
        onFacts: (facts) => session.facts(facts),
        onHostEvent: (event) => session.hostEvent(event),
        selfFence: { majorityContact, watchdogMs: options.watchdogMs },
        coordinatorAheadMs: (): number | null => session.coordinatorAheadMs(),
      }),
    );
    stack.use(
      createAddressWatch({ clock, log, random: Math.random, onChange: () => loop.wake("host") }),
    );
    // First to go: what runs hands itself back while everything it needs is still there.
    stack.defer(() => commandRunner.stop(stopGraceMs));
    databases.onEdge((edge) => {
      loop.wake(edge === "own-database-lost" ? "database-closed" : "database-opened");
    });
    session.start();
    void sweepDoor(ports);
    log.info({ node: settings.node, version }, "The agent is at work.");
    return stack;
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

function keptLimits({ limits }: AgentSettings): VersionLimits {
  return { versions: limits.keptFileVersions, bytes: limits.keptFileBytes };
}

/** A root helper that was killed while it held the door leaves an empty table. */
async function sweepDoor({ rootHelper, log }: Ports): Promise<void> {
  try {
    if (!(await rootHelper.verbs()).includes("door-sweep")) return;
    await rootHelper.run("door-sweep");
  } catch (error) {
    log.warn({ err: error }, "An earlier door rule could not be looked for.");
  }
}

function notJoined({ coordinator, node }: AgentSettings): Failure {
  return new Failure(
    "NOT_FOUND",
    `${coordinator.secretFile} is missing: this host has not joined`,
    {
      hint: `On the coordinator: castellan token create --node ${node}; then paste its line here.`,
    },
  );
}
