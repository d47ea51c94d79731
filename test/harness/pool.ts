import { poolVip, superuserLogin, type ClusterModel, type ClusterNode } from "./cluster-model.ts";
import { installPoolCommand } from "./kingbase/pool-commands.ts";
import {
  checkLogin,
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

/** Installs and starts a pool on every existing node, waits until every backend is up and the VIP is held. */
export async function createPools(model: ClusterModel, options: PoolOptions = {}): Promise<Pools> {
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
  const allUp = async (name: string): Promise<boolean> => {
    const rows = await show(name);
    return rows.length >= nodes.length && rows.every((row) => row["status"] === "up");
  };
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
  await createCheckRole(model);
  for (const node of nodes) await installPool(model, node, vip, pcpUser, options);
  // The first one becomes the leader; the second may ask for it as soon as it listens.
  for (const node of nodes) await startPool(node, osUser);
  await waitFor(
    async () => (await Promise.all(nodes.map(({ name }) => allUp(name)))).every(Boolean),
    {
      timeoutMs: 60_000,
      what: "every backend to be up on every pool",
    },
  );
  if (vip !== null) {
    await waitFor(() => queryOnce(lab, login("app"), "select 1 as one"), {
      timeoutMs: 30_000,
      what: "the pool to answer at its VIP",
    });
  }
  return pools;
}

async function createCheckRole(model: ClusterModel): Promise<void> {
  const [primary] = model.nodes;
  const { user, password } = checkLogin(model);
  if (primary === undefined || model.lane.product === "kingbase-v8r3") return;
  const login = superuserLogin(model, primary, "postgres");
  await queryOnce(
    model.lab,
    login,
    `CREATE ROLE ${user} LOGIN PASSWORD '${password}'; GRANT pg_monitor TO ${user}`,
  );
}

async function installPool(
  model: ClusterModel,
  node: PoolNode,
  vip: string | null,
  pcpUser: string,
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

function arguments_({ pool }: PoolNode): string[] {
  return ["-f", pool.configFile, "-F", pool.pcpFile, "-a", pool.hbaFile];
}

async function startPool(node: PoolNode, osUser: string): Promise<void> {
  const { host, pool } = node;
  const run = pool.pidFile.slice(0, pool.pidFile.lastIndexOf("/"));
  if (!host.exists(run)) await host.makeDirectory(run, { owner: osUser });
  await host.spawn([pool.binary, ...arguments_(node), "-n"], {
    user: osUser,
    logFile: host.path(pool.logFile),
    ...(osUser === "root" ? {} : { capabilities: ["net_admin", "net_raw"] }),
  });
}

async function stopPool(node: PoolNode, osUser: string): Promise<void> {
  const { host, pool } = node;
  await host.exec([pool.binary, ...arguments_(node), "-m", "fast", "stop"], { user: osUser });
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
  const { stdout } = await host.exec([`/usr/sbin/${command}`, ...server, ...args], {
    user: owner,
    env: { PCPPASSFILE: file },
  });
  return stdout;
}
