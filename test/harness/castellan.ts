import type { StatusAnswer } from "#coordinator/api/contract.ts";
import { createApiClient } from "#coordinator/cli/client.ts";
import { agentEnvironment, agentFlags } from "./agent-flags.ts";
import type { TestCluster } from "./cluster.ts";
import type { ClusterNode } from "./cluster-model.ts";
import type { ExecResult, Host, HostProcess } from "./host.ts";
import { databaseVip } from "./kingbase/node-files.ts";
import { waitFor } from "./wait-for.ts";

/** Coordinator, agents and root helpers on the hosts of a cluster, installed as an operator would. */
export interface Castellan extends AsyncDisposable {
  readonly coordinatorHost: Host;
  readonly stateDirectory: string;
  /** `castellan …` on the coordinator's host. */
  cli(
    args: readonly string[],
    options?: { readonly reject?: boolean; readonly timeoutMs?: number },
  ): Promise<ExecResult>;
  /** The same as a process with pipes, to read its lines as they come. */
  spawnCli(args: readonly string[]): Promise<HostProcess>;
  /** The same with --json, parsed. Throws for a non-zero exit status. */
  json<T>(args: readonly string[]): Promise<T>;
  coordinator(): HostProcess;
  agent(node: string): HostProcess;
  startCoordinator(env?: Readonly<Record<string, string>>): Promise<void>;
  /** `bundle`: another agent program than that of this checkout, as the host sees it (an upgrade). */
  startAgent(
    node: string,
    env?: Readonly<Record<string, string>>,
    options?: { readonly bundle?: string },
  ): Promise<void>;
  /** SIGKILL. */
  killCoordinator(): Promise<void>;
  killAgent(node: string): Promise<void>;
  /** Another cluster of the lab under the same coordinator: its agents join, too. */
  joinCluster(other: TestCluster): Promise<void>;
  /** All of these agents are connected and have reported. */
  connected(nodes: readonly string[]): Promise<void>;
  logs(node: string | null): Promise<string>;
}

export type CastellanOptions = {
  readonly coordinatorHost: Host;
  readonly port?: number;
  /** No sudoers line on any host: no held door, no cron lines. */
  readonly withoutRootHelper?: boolean;
  /** ADDRESS/PREFIX that root's helper may put on a host; KingbaseES has its own. */
  readonly virtualAddress?: string;
  /** Added to the coordinator's settings.yaml, e.g. limits that suit a test. */
  readonly settings?: string;
  /** The bundles that hold the named points of shared/crash-point.ts, which `env` of a start then strikes at. */
  readonly crashPoints?: boolean;
};

const agentConfig = "/etc/castellan/agent.yaml";

/** Starts a coordinator and, on every host of the cluster (the new one included), an agent that has joined it. */
export async function installCastellan(
  cluster: TestCluster,
  options: CastellanOptions,
): Promise<Castellan> {
  const { coordinatorHost } = options;
  const port = options.port ?? 7300;
  const user = cluster.lane.osUser;
  const stateDirectory = `${coordinatorHost.root}/var/lib/castellan`;
  const bundles = options.crashPoints === true ? "dist/test" : "dist";
  const program = (host: Host, name: string) => [
    host.nodePath,
    `${host.projectPath}/${bundles}/${name}.js`,
  ];
  const nodes: ClusterNode[] = [];
  const agents = new Map<string, HostProcess>();
  let coordinator: HostProcess | null = null;

  // Without a program's start for every look: a busy machine has better things to do.
  const status = (): Promise<StatusAnswer> => {
    const socket = coordinatorHost.path(`${stateDirectory}/api.sock`);
    return createApiClient(socket, AbortSignal.timeout(10_000)).get<StatusAnswer>("/status");
  };
  const logFile = (host: Host, name: string) => host.path(`${host.root}/var/log/${name}.log`);
  const castellan: Castellan = {
    coordinatorHost,
    stateDirectory,
    cli: async (args, { reject = true, timeoutMs = 120_000 } = {}) => {
      const argv = [...program(coordinatorHost, "castellan"), "--state-dir", stateDirectory, ...args]; // prettier-ignore
      if (args[0] !== "status") return coordinatorHost.exec(argv, { user, reject, timeoutMs });
      // Degraded and down are answers.
      const answer = await coordinatorHost.exec(argv, { user, reject: false, timeoutMs });
      if (!reject || [0, 20, 21].includes(answer.exitCode)) return answer;
      throw new Error(`status ended with ${answer.exitCode}\n${answer.stderr}`);
    },
    spawnCli: (args) =>
      coordinatorHost.spawn(
        [...program(coordinatorHost, "castellan"), "--state-dir", stateDirectory, ...args],
        { user },
      ),
    json: async <T>(args: readonly string[]) =>
      JSON.parse((await castellan.cli([...args, "--json"])).stdout) as T, // the API's own shape
    coordinator: () => present(coordinator, "the coordinator"),
    agent: (node) => present(agents.get(node) ?? null, `the agent of ${node}`),
    startCoordinator: async (env = {}) => {
      coordinator = await coordinatorHost.spawn(
        [
          ...program(coordinatorHost, "castellan"),
          "--state-dir",
          stateDirectory,
          "coordinator",
          "run",
        ],
        { user, env, logFile: logFile(coordinatorHost, "castellan") },
      );
      await waitFor(status, {
        timeoutMs: 20_000,
        what: "the coordinator to answer",
      });
    },
    startAgent: async (name, env = {}, { bundle } = {}) => {
      const { host } = nodeOf(nodes, name);
      agents.set(
        name,
        await host.spawn(
          [
            host.nodePath,
            ...agentFlags(),
            bundle ?? `${host.projectPath}/${bundles}/castellan-agent.js`,
            "run",
            "--config",
            `${host.root}${agentConfig}`,
          ],
          {
            user,
            env: { ...agentEnvironment(), ...env },
            logFile: logFile(host, "castellan-agent"),
          },
        ),
      );
    },
    joinCluster: async (other) => {
      const newcomers = nodesOf(other);
      nodes.push(...newcomers);
      for (const { host } of newcomers) await host.makeDirectory(`${host.root}/var/log`);
      await Promise.all(newcomers.map((node) => joinNode(castellan, other, node, options)));
      await castellan.connected(newcomers.map(({ name }) => name));
    },
    killCoordinator: () => kill(castellan.coordinator()),
    killAgent: (node) => kill(castellan.agent(node)),
    connected: async (names) => {
      await waitFor(
        async () => {
          const now = await status();
          return names.every((name) => hasReported(now, name));
        },
        { timeoutMs: 60_000, what: `the agents of ${names.join(", ")} to be connected` },
      );
    },
    logs: (node) => {
      const host = node === null ? coordinatorHost : nodeOf(nodes, node).host;
      return host.readFile(
        `${host.root}/var/log/${node === null ? "castellan" : "castellan-agent"}.log`,
      );
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of [coordinator, ...agents.values()]) {
        if (child?.isRunning() === true) {
          child.kill("SIGTERM");
          await child.exited;
        }
      }
    },
  };

  await coordinatorHost.makeDirectory(`${coordinatorHost.root}/var/log`);
  await coordinatorHost.makeDirectory(stateDirectory, { owner: user, mode: 0o700 });
  await castellan.cli([
    "init",
    "--listen",
    coordinatorHost.address,
    "--advertise",
    coordinatorHost.address,
    "--port",
    String(port),
  ]);
  if (options.settings !== undefined) {
    const file = `${stateDirectory}/settings.yaml`;
    const text = `${await coordinatorHost.readFile(file)}${options.settings}`;
    await coordinatorHost.writeFile(file, text, { owner: user, mode: 0o600 });
  }
  await castellan.startCoordinator();
  await castellan.joinCluster(cluster);
  return castellan;
}

function nodesOf({ nodes, newNode }: TestCluster): readonly ClusterNode[] {
  return [...nodes, ...(newNode === null ? [] : [newNode])];
}

async function joinNode(
  castellan: Castellan,
  cluster: TestCluster,
  node: ClusterNode,
  options: CastellanOptions,
): Promise<void> {
  const { host, paths } = node;
  const { lane, passwords, pools } = cluster;
  const user = lane.osUser;
  const pool = pools?.nodes.find(({ name }) => name === node.name)?.pool ?? null;
  const isVendor = lane.product === "kingbase-v8r3";
  // Root's helper trusts no settings in a folder that another user could replace.
  const isRoot = cluster.lab.mode === "namespaces";
  await host.makeDirectory(
    `${host.root}/etc/castellan`,
    isRoot ? { mode: 0o755 } : { owner: user, mode: 0o755 },
  );
  await host.makeDirectory(`${host.root}/var/lib/castellan-agent`, { owner: user, mode: 0o700 });
  // As Debian's package leaves them, writable by the database's user.
  if (!host.exists(paths.socketDir)) await host.makeDirectory(paths.socketDir, { owner: user });
  const configFolder = paths.configFile.slice(0, paths.configFile.lastIndexOf("/"));
  if (!configFolder.startsWith(paths.dataDir))
    await host.makeDirectory(configFolder, { owner: user });
  const helper =
    options.withoutRootHelper === true || cluster.lab.mode === "loopback"
      ? null
      : await installRootHelper(cluster, node, options);
  const { joinLine } = await castellan.json<{ joinLine: string }>([
    "token",
    "create",
    "--node",
    node.name,
  ]);
  // `printf … TOKEN | castellan-agent join … --token -`, as a person would paste it.
  const [, token, join] = /^\S+ (?:\S+ )?(\S+) \| castellan-agent (.*)$/.exec(joinLine) ?? [];
  if (token === undefined || join === undefined) throw new Error(`a join line: ${joinLine}`);
  const agent = [host.nodePath, `${host.projectPath}/dist/castellan-agent.js`];
  await host.exec(
    [
      ...agent,
      ...join.split(" "),
      ...["--config", `${host.root}${agentConfig}`],
      ...["--state-dir", `${host.root}/var/lib/castellan-agent`],
      ...(isRoot ? ["--user", user] : []),
      ...["--product", lane.product],
      ...(isVendor ? ["--root", paths.root] : []),
      ...["--bin-dir", paths.binDir, "--data-dir", paths.dataDir, "--port", String(node.port)],
      ...[
        "--server-config",
        paths.configFile,
        "--hba-file",
        paths.hbaFile,
        "--ident-file",
        paths.identFile,
      ],
      // A server of a loopback host listens on its own address only.
      ...["--database-host", isRoot ? "127.0.0.1" : node.address],
      ...["--database-name", lane.database],
      ...["--database-user", isVendor ? "SUPERMANAGER_V8ADMIN" : lane.superuser],
      ...(pools === null || pool === null
        ? ["--pool", "none"]
        : [
            ...[
              "--pool",
              isVendor ? "kingbasecluster" : "pgpool",
              "--pool-config",
              pool.configFile,
            ],
            ...[
              "--pcp-user",
              pools.pcpUser,
              "--pcp-host",
              isRoot ? "127.0.0.1" : node.address,
              "--pool-bin-dir",
              isVendor ? paths.binDir : "/usr/sbin",
            ],
          ]),
      ...(helper === null ? [] : ["--root-helper", helper.join(" ")]),
    ],
    isRoot ? { input: token } : { user, input: token },
  );
  const secrets = {
    database: isVendor ? passwords.maintenance : passwords.superuser,
    replication: passwords.replication,
    pcp: passwords.pcp,
  };
  for (const [name, value] of Object.entries(secrets)) {
    await host.exec([...agent, "secret", "set", name, "--config", `${host.root}${agentConfig}`], {
      user,
      input: value,
    });
  }
  await castellan.startAgent(node.name);
}

/** Root's one-time step on a host; answers how the agent calls the helper. */
async function installRootHelper(
  cluster: TestCluster,
  node: ClusterNode,
  { virtualAddress }: CastellanOptions,
): Promise<readonly string[]> {
  const { host, paths } = node;
  const address = cluster.lane.product === "kingbase-v8r3" ? databaseVip(cluster) : virtualAddress;
  const pool = cluster.pools?.nodes.find(({ name }) => name === node.name)?.pool ?? null;
  const { stdout } = await host.exec([
    host.nodePath,
    `${host.projectPath}/dist/castellan-root.js`,
    "install",
    ...["--user", cluster.lane.osUser, "--product", cluster.lane.product, "--node", host.nodePath],
    ...(cluster.lane.product === "kingbase-v8r3" ? ["--root", paths.root] : []),
    // The default is a folder that all labs of the machine share.
    ...["--bin-dir", paths.binDir, "--lib-dir", "/opt/castellan-root"],
    ...(address === undefined ? [] : ["--virtual-address", address, "--nic", "eth0"]),
    ...(pool === null
      ? []
      : [
          "--pool-config",
          pool.configFile,
          "--pool-program",
          poolProgram(cluster, node, pool.binary),
          "--start-pool",
        ]),
  ]);
  const line = /rootHelper: (\[.*\])/.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`castellan-root install said: ${stdout}`);
  return JSON.parse(line) as string[]; // printed by castellan-root as a JSON array of words
}

/** The emulation's kingbasecluster is a script in front of pgpool: the helper compares with what really runs. */
function poolProgram({ lane }: TestCluster, { paths }: ClusterNode, binary: string): string {
  return lane.product === "kingbase-v8r3"
    ? `${paths.root}/kingbasecluster/lib/kingbasecluster`
    : binary;
}

function nodeOf(nodes: readonly ClusterNode[], name: string): ClusterNode {
  const node = nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new Error(`no node ${name}`);
  return node;
}

function present(process: HostProcess | null, what: string): HostProcess {
  if (process === null) throw new Error(`${what} was never started`);
  return process;
}

async function kill(process: HostProcess): Promise<void> {
  process.kill("SIGKILL");
  await process.exited;
}

function hasReported({ clusters, unassigned }: StatusAnswer, name: string): boolean {
  return [...clusters.flatMap((cluster) => cluster.nodes), ...unassigned].some(
    (node) => node.name === name && node.agent === "connected" && node.database !== "unknown",
  );
}
