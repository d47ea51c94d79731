import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCore, type Core } from "#coordinator/core.ts";
import { initCoordinator } from "#coordinator/init.ts";
import { loadSettings, type CoordinatorSettings } from "#coordinator/settings.ts";
import { createAuthenticator } from "#coordinator/trust/authenticator.ts";
import { createJoinToken } from "#coordinator/trust/tokens.ts";
import { createLog } from "#shared/log.ts";
import { ScriptedAgent, type ScriptedAgentOptions } from "./scripted-agent.ts";

export const quietLog = createLog("test", "silent");

export type StateFolder = Disposable & { readonly path: string; readonly certificatePem: string };

/** An initialised state directory of its own, removed at the end. */
export async function makeStateFolder(): Promise<StateFolder> {
  const path = mkdtempSync(join(tmpdir(), "castellan-"));
  await initCoordinator({ stateDirectory: path, address: "127.0.0.1" });
  return {
    path,
    certificatePem: readFileSync(join(path, "certificate.pem"), "utf8"),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Everything that waits, waits shortly. */
export function quickSettings(
  stateDirectory: string,
  limits: Partial<CoordinatorSettings["limits"]> = {},
): CoordinatorSettings {
  const settings = loadSettings(stateDirectory, { address: "127.0.0.1", port: 0 });
  return {
    ...settings,
    heartbeat: { everyMs: 100, lostAfterMs: 500 },
    limits: {
      ...settings.limits,
      helloMs: 500,
      claimProbeMs: 300,
      awayAlertMs: 300,
      observeMs: 2_000,
      retryFirstMs: 10,
      retryMostMs: 50,
      ...limits,
    },
  };
}

export type TestCoordinator = AsyncDisposable & {
  readonly core: Core;
  readonly state: StateFolder;
  /** Joined, connected as the options say. */
  agent(node: string, options?: Partial<ScriptedAgentOptions>): ScriptedAgent;
  secretOf(node: string): string;
};

export async function startTestCoordinator(
  limits: Partial<CoordinatorSettings["limits"]> = {},
): Promise<TestCoordinator> {
  const state = await makeStateFolder();
  const core = await startCore(quickSettings(state.path, limits), quietLog);
  const agents: ScriptedAgent[] = [];
  const secrets = new Map<string, string>();
  const secretOf = (node: string): string => {
    const secret = secrets.get(node) ?? joinAgent(core, node);
    secrets.set(node, secret);
    return secret;
  };
  return {
    core,
    state,
    secretOf,
    agent: (node, options = {}) => {
      const agent = new ScriptedAgent({
        port: core.agentPort,
        node,
        certificatePem: state.certificatePem,
        ...options,
        secret: options.secret ?? secretOf(node),
      });
      agents.push(agent);
      return agent;
    },
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents) agent[Symbol.dispose]();
      await core[Symbol.asyncDispose]();
      state[Symbol.dispose]();
    },
  };
}

export function joinAgent(core: Core, node: string): string {
  const { store } = core.ports;
  const { token } = createJoinToken(store, node, Date.now(), 60_000);
  return createAuthenticator(store).joinAgent(token, node, Date.now());
}

export function eventsOf({ core }: TestCoordinator, kind: string) {
  return core.ports.store.events(0, 500).filter((event) => event.kind === kind);
}
