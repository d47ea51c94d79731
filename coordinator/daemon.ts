import { join } from "node:path";
import type { Failure } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import { apiRoutes } from "./api/api-routes.ts";
import { startApiServer } from "./api/server.ts";
import { startCore } from "./core.ts";
import { createLifetimes } from "./lifetimes.ts";
import { advertisedHost, type CoordinatorSettings } from "./settings.ts";
import { makeBackup } from "./store/make-backup.ts";

/** A running coordinator; disposing it ends it without touching what is under way on the hosts. */
export type Daemon = AsyncDisposable & {
  readonly agentPort: number;
  readonly socketPath: string;
};

/** The coordinator with its API. */
export async function runDaemon(
  settings: CoordinatorSettings,
  log: Log,
  onUnusable: (failure: Failure) => void = () => undefined,
): Promise<Daemon> {
  const socketPath = join(settings.stateDirectory, "api.sock");
  const lifetimes = createLifetimes();
  try {
    const core = lifetimes.use(await startCore(settings, log, onUnusable));
    const { agentPort, fingerprint } = core;
    const host = advertisedHost(settings);
    const place = `${host.includes(":") ? `[${host}]` : host}:${settings.advertise?.port ?? agentPort}`;
    const routes = apiRoutes({
      ...core.ports,
      runner: core.runner,
      alerting: core.alerting,
      sendBufferBytes: settings.limits.sendBufferBytes,
      backup: () =>
        makeBackup({
          ...settings,
          snapshot: (file) => core.ports.store.snapshot(file),
          now: Date.now(),
        }),
      addNodeLimits: settings.addNode,
      joinLine: (node, token) => joinLine(place, fingerprint, node, token),
    });
    const { apiBodyBytes } = settings.limits;
    lifetimes.use(await startApiServer({ socketPath, maxBodyBytes: apiBodyBytes, log, routes }));
    const { epoch } = core.ports.store;
    log.info({ agentPort, socketPath, epoch }, "the coordinator is ready");
    return {
      agentPort,
      socketPath,
      [Symbol.asyncDispose]: () => lifetimes[Symbol.asyncDispose](),
    };
  } catch (error) {
    await lifetimes[Symbol.asyncDispose]();
    throw error;
  }
}

/** The token goes over standard input (echo is the shell's own): an argument stands in every process list. */
function joinLine(place: string, fingerprint: string, node: string, token: string): string {
  return `echo ${token} | castellan-agent join --coordinator ${place} --fingerprint ${fingerprint} --node ${node} --token -`;
}
