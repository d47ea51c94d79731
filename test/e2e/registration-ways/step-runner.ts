import { build } from "esbuild";
import { createInterface } from "node:readline";
import { join } from "node:path";
import * as z from "zod";
import { defaultGuard, defaultLimits, type AgentSettings } from "#agent/settings.ts";
import {
  commands,
  type CommandArgs,
  type CommandKind,
  type CommandPhase,
  type CommandResult,
} from "#shared/domain/commands.ts";
import { FailureRecord } from "#shared/domain/operation.ts";
import { Failure } from "#shared/errors.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { HostProcess } from "#test/harness/host.ts";
import type { PoolNode, Pools } from "#test/harness/pool.ts";
import { projectRoot } from "#test/harness/project-root.ts";

const Outcome = z.strictObject({
  id: z.string(),
  result: z.unknown().optional(),
  failure: FailureRecord.optional(),
});

/** The agent's steps on one host of the lab. */
export interface StepRunner extends AsyncDisposable {
  readonly node: string;
  readonly process: HostProcess;
  command<K extends CommandKind>(
    kind: K,
    args: CommandArgs<K>,
    phase?: CommandPhase,
    operationId?: string,
  ): Promise<CommandResult<K>>;
}

/** The root helper, installed as its own installer does it; false without root. */
export async function installRootHelper(cluster: TestCluster, pool: PoolNode): Promise<boolean> {
  if (cluster.lab.mode !== "namespaces") return false;
  const { host } = pool;
  const program = `${host.projectPath}/dist/castellan-root.js`;
  const options = ["--user", cluster.lane.osUser, "--product", cluster.lane.product];
  // /usr is the machine's own in the lab: the helper goes where the host has a disk of its own.
  const places = ["--lib-dir", "/srv/castellan", "--pool-config", pool.pool.configFile];
  const root = ["--root", pool.paths.root, "--bin-dir", pool.paths.binDir];
  await host.exec([host.nodePath, program, "install", ...options, ...places, ...root]);
  return true;
}

/** What agent.yaml would say on that host. */
function settingsOf(cluster: TestCluster, pools: Pools, node: PoolNode): AgentSettings {
  const { host, paths, pool } = node;
  const state = `${host.root}/var/lib/castellan-agent`;
  const kingbase = cluster.lane.product === "kingbase-v8r3";
  return {
    node: node.name,
    coordinator: {
      url: "wss://127.0.0.1:1/agent",
      certificateFile: "/nowhere/certificate.pem",
      secretFile: "/nowhere/secret",
    },
    stateDirectory: state,
    product: cluster.lane.product,
    paths: {
      root: kingbase ? paths.root : null,
      binDirectory: paths.binDir,
      dataDirectory: paths.dataDir,
      configFile: paths.configFile,
      hbaFile: paths.hbaFile,
      identFile: paths.identFile,
    },
    database: {
      host: node.address,
      port: node.port,
      name: cluster.lane.database,
      user: cluster.lane.superuser,
    },
    pool: {
      kind: kingbase ? "kingbasecluster" : "pgpool",
      configFile: pool.configFile,
      haModuleFile: kingbase ? `${paths.root}/kingbasecluster/etc/HAmodule.conf` : null,
      pcpPort: pools.pcpPort,
      port: pools.port,
      socketDirectory: pool.socketDir,
      pcpUser: pools.pcpUser,
      pcpHost: node.address,
      binDirectory: "/usr/sbin",
    },
    rootHelper:
      cluster.lab.mode === "namespaces"
        ? ["sudo", "-n", host.nodePath, "/srv/castellan/castellan-root.mjs"]
        : null,
    start: { mode: "ctl" },
    allow: {
      paths: [pool.configFile, `${paths.root}/db/etc`, `${paths.root}/kingbasecluster/etc`],
      programs: ["/usr/sbin", paths.binDir],
      verbs: [],
    },
    guard: defaultGuard,
    limits: defaultLimits,
  };
}

export async function startStepRunner(
  cluster: TestCluster,
  pools: Pools,
  node: PoolNode,
): Promise<StepRunner> {
  const { host } = node;
  const { osUser, product } = cluster.lane;
  const settings = settingsOf(cluster, pools, node);
  const program = `${host.root}/srv/step-program.mjs`;
  await bundle(host.path(program));
  await host.makeDirectory(settings.stateDirectory, { owner: osUser, mode: 0o700 });
  const child = await host.spawn([host.nodePath, program], { user: osUser });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null) throw new Error("the step program has no pipes");
  let complaints = "";
  stderr?.on(
    "data",
    (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-4000)),
  );
  stdin.on("error", () => undefined);
  const waiting = new Map<string, (outcome: z.infer<typeof Outcome>) => void>();
  const lost: ((error: Error) => void)[] = [];
  createInterface({ input: stdout }).on("line", (line) => {
    const outcome = Outcome.parse(JSON.parse(line));
    waiting.get(outcome.id)?.(outcome);
    waiting.delete(outcome.id);
  });
  void child.exited.then(() => {
    for (const lose of lost)
      lose(new Error(`the step program on ${node.name} ended: ${complaints}`));
  });
  const passwords = cluster.passwords;
  stdin.write(
    `${JSON.stringify({
      settings,
      home: product === "kingbase-v8r3" ? "/home/kingbase" : "/var/lib/postgresql",
      secrets: { database: passwords.superuser, pcp: passwords.pcp },
    })}\n`,
  );
  let counter = 0;
  return {
    node: node.name,
    process: child,
    command: async (kind, args, phase = "run", operationId = "op-registration") => {
      counter += 1;
      const id = `${node.name}/${counter}`;
      const answered = new Promise<z.infer<typeof Outcome>>((resolve, reject) => {
        waiting.set(id, resolve);
        lost.push(reject);
      });
      const preconditions = { systemIdentifier: null, role: null, timeline: null };
      const expiresAt = Date.now() + 60_000;
      const envelope = { id, epoch: 1, operationId, stepId: kind, kind, phase, args };
      stdin.write(`${JSON.stringify({ ...envelope, expiresAt, preconditions })}\n`);
      const { result, failure } = await answered;
      if (failure !== undefined) {
        throw new Failure(failure.code, failure.message, {
          ...(failure.hint === null ? {} : { hint: failure.hint }),
          evidence: failure.evidence,
          retryable: failure.retryable,
        });
      }
      // The kind's own schema has just spoken; TypeScript can't follow the generic kind through it.
      const schema = phase === "undo" ? commands["release-door"].result : commands[kind].result;
      return schema.parse(result) as CommandResult<typeof kind>;
    },
    [Symbol.asyncDispose]: async () => {
      stdin.end();
      await child.exited;
    },
  };
}

async function bundle(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(projectRoot(), "test/e2e/registration-ways/step-program.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["pg-native"],
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
}
