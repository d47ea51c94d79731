import { randomInt, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { terminalStates } from "#shared/domain/operation.ts";
import { Failure } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import { systemClock } from "#shared/time.ts";
import { startAlerting, type Alerting } from "./alerts/alerting.ts";
import { createClusterFiles } from "./cluster-file/cluster-files.ts";
import { createEvents } from "./events.ts";
import { createFailOver } from "./failover/fail-over.ts";
import { isOwnAddress } from "./own-address.ts";
import { createFleet } from "./fleet/view.ts";
import { createClusterTeller } from "./guard/cluster-teller.ts";
import { Hub } from "./hub/hub.ts";
import { startHubServer } from "./hub/server.ts";
import { createLifetimes } from "./lifetimes.ts";
import { standingAlerts } from "./operations/add-node/standing-alerts.ts";
import { attachPool } from "./operations/local-steps/attach-pool.ts";
import { forgetNode } from "./operations/remove-node/forget-node.ts";
import { createDrill } from "./operations/local-steps/drill.ts";
import { createRestoreLayout } from "./operations/local-steps/restore-layout.ts";
import { handOver } from "./operations/local-steps/hand-over.ts";
import { stopDatabases } from "./operations/local-steps/stop-databases.ts";
import { declareNode } from "./operations/local-steps/declare-node.ts";
import { detachPool } from "./operations/local-steps/detach-pool.ts";
import { undeclareNode } from "./operations/local-steps/undeclare-node.ts";
import { forecastError } from "./operations/forecast-error.ts";
import { Runner } from "./operations/runner.ts";
import { createShownPlans } from "./operations/shown-plans.ts";
import type { CoordinatorPorts } from "./ports.ts";
import type { CoordinatorSettings } from "./settings.ts";
import { takeDaemonLock } from "./store/daemon-lock.ts";
import { restoredCause } from "./store/hold-operations.ts";
import { openStore } from "./store/sqlite.ts";
import type { OperationRecord } from "./store/store.ts";
import { createAuthenticator } from "./trust/authenticator.ts";
import { certificateFingerprint } from "./trust/certificate.ts";
import { createRuleWatch } from "./watch-rules.ts";

/** A coordinator without its API: journal, agents, operations. */
export type Core = AsyncDisposable & {
  readonly ports: CoordinatorPorts;
  readonly hub: Hub;
  readonly runner: Runner;
  readonly alerting: Alerting;
  readonly agentPort: number;
  readonly fingerprint: string;
};

/**
 * Opens the journal, accepts agents, goes on with what was under way: in this order. `onUnusable`: the journal can't be
 * read or written any more, and whoever runs this ends it.
 */
export async function startCore(
  settings: CoordinatorSettings,
  log: Log,
  onUnusable: (failure: Failure) => void = () => undefined,
): Promise<Core> {
  const inState = (name: string): string => join(settings.stateDirectory, name);
  const certificatePem = readOwnFile(inState("certificate.pem"));
  const keyPem = readOwnFile(inState("key.pem"));
  const { limits } = settings;
  const clock = systemClock;
  const lifetimes = createLifetimes();
  try {
    lifetimes.use(takeDaemonLock(settings.stateDirectory, process.pid));
    const store = lifetimes.use(
      openStore({
        file: inState("journal.db"),
        keptEvents: limits.keptEvents,
        keptFiles: { versions: limits.keptFileVersions, textBytes: limits.keptFileTextBytes },
        now: clock.now(),
        onUnusable,
      }),
    );
    const events = createEvents(store, log, clock);
    const alerting = lifetimes.use(
      startAlerting(
        { store, clock, log, events, random: Math.random, mostWaiting: limits.sinkQueue },
        settings.sinks,
      ),
    );
    const hub = lifetimes.use(
      new Hub({
        settings,
        store,
        clock,
        events,
        onMissedPast: (because) => runner.holdAll(because),
        onWelcome: (node) => clusterTeller.agentCame(node),
        onLost: (node) => clusterTeller.agentChanged(node),
        onFacts: (node) => {
          ruleWatch.factsChanged(node);
          clusterTeller.agentChanged(node);
        },
      }),
    );
    const clusterFiles = createClusterFiles(settings.clustersDirectory, () =>
      clusterTeller.declared(),
    );
    const clusterTeller = lifetimes.use(
      createClusterTeller({ clusterFiles, agents: hub, clock, log }),
    );
    const ruleWatch = lifetimes.use(
      createRuleWatch({ store, clock, log, clusterFiles, agents: hub }),
    );
    const fleet = createFleet({ agents: hub, clock, askMs: limits.askMs, newId: randomUUID });
    const ports = { clock, log, store, fleet, clusterFiles, shownPlans: createShownPlans() };
    const runner: Runner = lifetimes.use(
      new Runner({
        store,
        clock,
        log,
        events,
        clusterFiles,
        limits,
        commands: hub,
        reserve: (node, message) => hub.tellOfCluster(node, message),
        localSteps: {
          "attach-pool": attachPool,
          "declare-node": declareNode,
          "detach-pool": detachPool,
          "hand-over": handOver,
          "stop-databases": stopDatabases,
          "undeclare-node": undeclareNode,
          drill: createDrill(store),
          ...createRestoreLayout({
            ...ports,
            addNodeLimits: settings.addNode,
            runner: {
              start: (asked) => runner.start(asked),
              resume: (id) => runner.resume(id),
              abort: (id) => runner.abort(id),
            },
          }),
        },
        random: Math.random,
        newOperationId,
        settle: async (operation, outcome, signal) => {
          const patienceMs = outcome === "succeeded" ? limits.agentWaitMs : undoneFilesWithinMs;
          if (operation.kind === "add-node")
            await hub.acceptAllFiles(operation.subject, { patienceMs, signal });
          if (operation.kind === "remove-node" && outcome === "succeeded") {
            forgetNode(operation.subject, store, clock.now());
            // As the agent of any host that is none of a cluster's: its first look makes the baselines.
            if (hub.view(operation.subject)?.connected === true)
              await hub.acceptAllFiles(operation.subject, { patienceMs: undoneFilesWithinMs, signal }); // prettier-ignore
          }
          // Whoever asks for the status next is to see what it did.
          const looks = nodesTouchedBy(operation).map((node) => hub.observe(node));
          await Promise.race([Promise.allSettled(looks), clock.sleep(shownWithinMs, signal)]).catch(() => undefined); // prettier-ignore
          return () => {
            for (const alert of standingAlerts({ ...operation, state: "succeeded" })) {
              if (outcome === "succeeded") store.raiseAlert(alert, clock.now());
              // Killed between the alert and the success, then aborted: what it stood for is gone.
              else store.resolveAlert(alert.cause, clock.now());
            }
          };
        },
        onRest: (operation) => {
          if (!terminalStates.has(operation.state)) return;
          ruleWatch.operationEnded(operation.cluster);
          if (!store.operations({ unfinished: true }).some(({ restores }) => restores > 0)) {
            store.resolveAlert(restoredCause, clock.now());
          }
          const copy = forecastError(operation);
          if (copy !== null) events.emit("forecast:judged", { operationId: operation.id }, copy);
          if (operation.kind !== "add-node" || operation.state === "succeeded") return;
          // Where an operator has left it with what could not be taken back, nobody has done this yet.
          for (const { cause } of standingAlerts({ ...operation, state: "succeeded" })) {
            store.resolveAlert(cause, clock.now());
          }
          hub.acceptAllFiles(operation.subject).catch((error: unknown) => {
            log.error({ err: error, node: operation.subject }, "its files could not be accepted");
          });
        },
      }),
    );
    const { port } = lifetimes.use(
      await startHubServer({
        settings,
        store,
        clock,
        events,
        hub,
        authenticator: createAuthenticator(store),
        failOver: createFailOver({ store, clock, events, fleet, clusterFiles, runner, heartbeat: settings.heartbeat, isOwnAddress }), // prettier-ignore
        certificatePem,
        keyPem,
        listen: settings.listen,
      }),
    );
    runner.resumeAll();
    return {
      ports,
      hub,
      runner,
      alerting,
      agentPort: port,
      fingerprint: certificateFingerprint(certificatePem),
      [Symbol.asyncDispose]: () => lifetimes[Symbol.asyncDispose](),
    };
  } catch (error) {
    await lifetimes[Symbol.asyncDispose]();
    throw error;
  }
}

const shownWithinMs = 5_000;
/** The host that was to be added may be gone: its rollback does not wait for long to hear of its files. */
const undoneFilesWithinMs = 15_000;

function nodesTouchedBy({ plan }: OperationRecord): readonly string[] {
  const on = plan.steps.flatMap((step) => (step.on === null ? [] : [step.on]));
  return [...new Set([...on, ...(plan.reserves ?? []).map(({ node }) => node)])];
}

function newOperationId(): string {
  const letters = "abcdefghijkmnpqrstuvwxyz23456789";
  return `op-${Array.from({ length: 12 }, () => letters[randomInt(letters.length)]).join("")}`;
}

function readOwnFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Failure("CONFIG_INVALID", `${file} can't be read.`, {
      hint: "castellan init makes the coordinator's state",
      cause,
    });
  }
}
