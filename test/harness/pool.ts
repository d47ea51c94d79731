import { readFileSync } from "node:fs";
import { poolVip, superuserLogin, type ClusterModel, type ClusterNode } from "./cluster-model.ts";
import { installPoolCommand } from "./kingbase/pool-commands.ts";
import {
  pcpConf,
  poolConf,
  poolHba,
  poolPasswords,
  poolPaths,
  poolPorts,
  type PoolPaths,
} from "./pool-files.ts";
import { queryOnce, type Login, type Row } from "./sql-client.ts";
import { waitFor } from "./wait-for.ts";

export type PoolNode = ClusterNode & { readonly pool: PoolPaths };

/** The read/write splitters of a cluster: one on each of its first two nodes. */
export interface Pools {
  readonly port: number;
  readonly pcpPort: number;
  readonly pcpUser: string;
  /** The watchdog's address; null without a watchdog (loopback, or a single pool). */
  readonly vip: string | null;
  /** Where clients connect: the VIP, else every pool's own address. */
  readonly addresses: readonly string[];
  readonly nodes: readonly PoolNode[];
  /** OS user that the pools run as: root for kingbasecluster, as the vendor has it. */
  readonly osUser: string;
  login(user: "superuser" | "app", address?: string): Login;
  /** `show pool_nodes` of one pool. */
  show(node: string): Promise<Row[]>;
  start(node: string): Promise<void>;
  stop(node: string): Promise<void>;
  restart(node: string): Promise<void>;
  /** Runs pcp_attach_node, pcp_detach_node, pcp_node_info, … against one pool. */
  pcp(node: string, command: string, args?: readonly string[]): Promise<string>;
  /** The node whose host holds the VIP now. */
  vipHolder(): Promise<string | null>;
}

export type PoolOptions = {
  /** Added to, or put in place of, settings of both pools' files. */
  readonly poolSettings?: Readonly<Record<string, string>>;
};

/** The pools of a cluster; nothing is made or started yet. */
export function describePools(model: ClusterModel): Pools {
  const { lab, lane, passwords } = model;
  const hasWatchdog = lab.mode === "namespaces" && model.nodes.length > 1;
  const vip = hasWatchdog ? poolVip(model) : null;
  const pcpUser = lane.product === "kingbase-v8r3" ? "kingbase" : "pgpool";
  const osUser =
    lane.product === "kingbase-v8r3" && lab.mode === "namespaces" ? "root" : lane.osUser;
  const nodes = model.nodes.map((node) => ({ ...node, pool: poolPaths(model, node) }));
  const find = (name: string): PoolNode => {
    const found = nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no pool on ${name}`);
    return found;
  };
  const addresses = vip === null ? nodes.map(({ address }) => address) : [vip];
  const login: Pools["login"] = (user, address = addresses[0] ?? "") => ({
    ...superuserLogin(model, find(nodes[0]?.name ?? ""), lane.database),
    address,
    port: poolPorts.client,
    ...(user === "app" ? { user: "app", password: passwords.app } : {}),
  });
  const show = (name: string): Promise<Row[]> =>
    queryOnce(lab, login("superuser", find(name).address), "show pool_nodes");
  const pools: Pools = {
    port: poolPorts.client,
    pcpPort: poolPorts.pcp,
    pcpUser,
    vip,
    addresses,
    nodes,
    osUser,
    login,
    show,
    start: async (name) => {
      await startPool(find(name), osUser);
      await waitFor(() => show(name), { timeoutMs: 30_000, what: `the pool on ${name} to answer` });
    },
    stop: (name) => stopPool(find(name), osUser),
    restart: async (name) => {
      await pools.stop(name);
      await pools.start(name);
    },
    pcp: (name, command, args = []) => runPcp(model, find(name), pcpUser, command, args),
    vipHolder: async () => {
      for (const { name, host } of nodes) {
        if (vip === null || !host.isUp()) continue;
        const { stdout } = await host.exec(["ip", "-4", "-o", "addr", "show"]);
        if (stdout.includes(` ${vip}/`)) return name;
      }
      return null;
    },
  };
  return pools;
}

/** Writes the files of every pool and starts it. pgpool waits for about 6 s for its watchdog before it looks at a backend. */
export async function launchPools(
  model: ClusterModel,
  pools: Pools,
  options: PoolOptions,
): Promise<void> {
  await Promise.all(pools.nodes.map((node) => installPool(model, node, pools, options)));
  await Promise.all(pools.nodes.map((node) => startPool(node, pools.osUser)));
}

/** Waits until every backend is up on every pool, and the VIP is held and settled. */
export async function poolsReady(pools: Pools): Promise<void> {
  await Promise.all(
    pools.nodes.map(({ name }) =>
      waitFor(() => isComplete(pools, name), {
        timeoutMs: 60_000,
        what: `every backend to be up on the pool of ${name}`,
      }),
    ),
  );
  if (pools.vip === null) return;
  // The address is there seconds before the leader is done with taking it.
  await waitFor(() => pools.nodes.some(({ host, pool }) => hasTakenVip(host.path(pool.logFile))), {
    timeoutMs: 30_000,
    what: "a pool to hold the VIP",
  });
}

async function isComplete(pools: Pools, name: string): Promise<boolean> {
  // A pool that looked before the databases ran has put them aside; with all of them aside it answers nobody.
  const rows = await pools.show(name).catch(() => null);
  if (rows === null) {
    for (const id of pools.nodes.keys()) {
      await pools.pcp(name, "pcp_attach_node", ["-n", String(id)]);
    }
    return false;
  }
  for (const row of rows.filter(({ status }) => status === "down")) {
    await pools.pcp(name, "pcp_attach_node", ["-n", String(row["node_id"])]);
  }
  return rows.length >= pools.nodes.length && rows.every(({ status }) => status === "up");
}

function hasTakenVip(log: string): boolean {
  return readFileSync(log, "utf8").includes("successfully acquired the delegate IP");
}

async function installPool(
  model: ClusterModel,
  node: PoolNode,
  { vip, pcpUser }: Pools,
  { poolSettings = {} }: PoolOptions,
): Promise<void> {
  const { host, pool, paths } = node;
  const owner = model.lane.osUser;
  const write = (file: string, text: string, mode = 0o600): Promise<void> =>
    host.writeFile(file, text, { owner, mode });
  const etc = pool.configFile.slice(0, pool.configFile.lastIndexOf("/"));
  for (const folder of [etc, pool.statusFolder, `${pool.statusFolder}/oiddir`]) {
    await host.makeDirectory(folder, { owner });
  }
  if (model.lane.product === "kingbase-v8r3") {
    await installPoolCommand(host, paths.root, pool, owner);
    const link = ["ln", "-sf", "pgpool_status", pool.statusFile];
    await host.exec(link, { user: owner });
  }
  await write(pool.configFile, poolConf(model, node, { vip, settings: poolSettings }));
  await write(pool.pcpFile, pcpConf(pcpUser, model.passwords.pcp));
  await write(pool.hbaFile, poolHba);
  await write(pool.passwordFile, poolPasswords(model));
  await write(
    `${etc}/pgpool_node_id`,
    `${model.nodes.findIndex(({ name }) => name === node.name)}\n`,
  );
  const failover = `#!/bin/sh\n# Only says that it ran: nothing is promoted in the test bed unless a test asks for it.\necho "$(date +%s) $*" >> ${pool.failoverLog}\n`;
  await write(pool.failoverCommand, failover, 0o755);
}

function fileArguments({ pool }: PoolNode): string[] {
  return ["-f", pool.configFile, "-F", pool.pcpFile, "-a", pool.hbaFile];
}

async function startPool(node: PoolNode, osUser: string): Promise<void> {
  const { host, pool } = node;
  const run = pool.pidFile.slice(0, pool.pidFile.lastIndexOf("/"));
  if (!host.exists(run)) await host.makeDirectory(run, { owner: osUser });
  await host.spawn([pool.binary, ...fileArguments(node), "-n"], {
    user: osUser,
    logFile: host.path(pool.logFile),
    ...(osUser === "root" ? {} : { capabilities: ["net_admin", "net_raw"] }),
  });
}

async function stopPool(node: PoolNode, osUser: string): Promise<void> {
  const { host, pool } = node;
  const argv = [pool.binary, ...fileArguments(node), "-m", "fast", "stop"];
  const { exitCode, stderr } = await host.exec(argv, { user: osUser, reject: false });
  // It asks again after five seconds, and fails where the pool has ended right then.
  if (exitCode !== 0 && !stderr.includes("No such process")) throw new Error(stderr);
}

async function runPcp(
  model: ClusterModel,
  { host, address }: PoolNode,
  pcpUser: string,
  command: string,
  args: readonly string[],
): Promise<string> {
  const file = `${host.root}/tmp/.pcppass-lab`;
  const owner = model.lane.osUser;
  await host.writeFile(file, `*:*:${pcpUser}:${model.passwords.pcp}\n`, { owner, mode: 0o600 });
  const server = ["-h", address, "-p", String(poolPorts.pcp), "-U", pcpUser, "-w"];
  const { stdout, stderr } = await host.exec([`/usr/sbin/${command}`, ...server, ...args], {
    user: owner,
    env: { PCPPASSFILE: file },
  });
  if (/^(ERROR|FATAL)/m.test(`${stdout}\n${stderr}`)) {
    throw new Error(`${command} ${args.join(" ")} on ${address}: ${stderr}${stdout}`);
  }
  return stdout;
}
