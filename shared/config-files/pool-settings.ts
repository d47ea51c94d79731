import { poolFlag, poolNumber, poolText, type PoolConf } from "./pool-conf.ts";

/** What the rest of the program wants to know of a pool besides its backends. Null: not set. */
export type PoolSettings = {
  readonly listenAddresses: string | null;
  readonly port: number | null;
  readonly socketDir: string | null;
  readonly pcpPort: number | null;
  readonly pcpSocketDir: string | null;
  readonly pidFile: string | null;
  /** Where the status file lies. */
  readonly logDir: string | null;
  readonly numInitChildren: number | null;
  readonly maxPool: number | null;
  readonly loadBalance: boolean | null;
  readonly autoFailback: boolean | null;
  readonly failoverCommand: string | null;
  readonly healthCheckPeriod: number | null;
  readonly srCheckUser: string | null;
  readonly healthCheckUser: string | null;
  readonly watchdog: WatchdogSettings;
};

type WatchdogSettings = {
  readonly enabled: boolean;
  readonly delegateIp: string | null;
  readonly trustedServers: readonly string[];
  readonly priority: number | null;
  readonly ifUpCommand: string | null;
  readonly ifDownCommand: string | null;
  /**
   * Up to pgpool 4.1 (and so kingbasecluster) a file names its own host and the others apart; from 4.2 on all hosts
   * stand in one numbered list, equal on every node, and the file pgpool_node_id says which one is this node.
   */
  readonly self: WatchdogNode | null;
  readonly others: readonly WatchdogNode[];
  readonly all: readonly WatchdogNode[];
};

type WatchdogNode = {
  readonly id: number | null;
  readonly hostname: string;
  readonly poolPort: number | null;
  readonly wdPort: number | null;
};

export function poolSettings(pool: PoolConf): PoolSettings {
  return {
    listenAddresses: poolText(pool, "listen_addresses"),
    port: poolNumber(pool, "port"),
    socketDir: poolText(pool, "unix_socket_directories") ?? poolText(pool, "socket_dir"),
    pcpPort: poolNumber(pool, "pcp_port"),
    pcpSocketDir: poolText(pool, "pcp_socket_dir"),
    pidFile: poolText(pool, "pid_file_name"),
    logDir: poolText(pool, "logdir"),
    numInitChildren: poolNumber(pool, "num_init_children"),
    maxPool: poolNumber(pool, "max_pool"),
    loadBalance: poolFlag(pool, "load_balance_mode"),
    autoFailback: poolFlag(pool, "auto_failback"),
    failoverCommand: poolText(pool, "failover_command"),
    healthCheckPeriod: poolNumber(pool, "health_check_period"),
    srCheckUser: poolText(pool, "sr_check_user"),
    healthCheckUser: poolText(pool, "health_check_user"),
    watchdog: watchdogSettings(pool),
  };
}

function watchdogSettings(pool: PoolConf): WatchdogSettings {
  const ownName = poolText(pool, "wd_hostname");
  const ownPort = poolNumber(pool, "wd_port");
  const poolPort = poolNumber(pool, "port");
  return {
    enabled: poolFlag(pool, "use_watchdog") ?? false,
    delegateIp: poolText(pool, "delegate_ip"),
    trustedServers: (poolText(pool, "trusted_servers") ?? "")
      .split(",")
      .map((server) => server.trim())
      .filter((server) => server !== ""),
    priority: poolNumber(pool, "wd_priority"),
    ifUpCommand: poolText(pool, "if_up_cmd"),
    ifDownCommand: poolText(pool, "if_down_cmd"),
    self: ownName === null ? null : { id: null, hostname: ownName, poolPort, wdPort: ownPort },
    others: otherFamilies.flatMap((names) => watchdogNodes(pool, names)),
    all: watchdogNodes(pool, { hostname: "hostname", poolPort: "pgpool_port", wdPort: "wd_port" }),
  };
}

type WatchdogNames = {
  readonly hostname: string;
  readonly poolPort: string;
  readonly wdPort: string;
};

const otherFamilies: readonly WatchdogNames[] = [
  {
    hostname: "other_kingbasecluster_hostname",
    poolPort: "other_kingbasecluster_port",
    wdPort: "other_wd_port",
  },
  { hostname: "other_pgpool_hostname", poolPort: "other_pgpool_port", wdPort: "other_wd_port" },
];

function watchdogNodes(pool: PoolConf, names: WatchdogNames): readonly WatchdogNode[] {
  const nodes: (WatchdogNode & { readonly id: number })[] = [];
  for (const [name, entry] of pool.settings) {
    const digits = name.startsWith(names.hostname) ? name.slice(names.hostname.length) : "";
    if (!/^[0-9]{1,4}$/.test(digits) || entry.value === "") continue;
    nodes.push({
      id: Number(digits),
      hostname: entry.value,
      poolPort: poolNumber(pool, names.poolPort + digits),
      wdPort: poolNumber(pool, names.wdPort + digits),
    });
  }
  return nodes.toSorted((a, b) => a.id - b.id);
}

/** Who is in charge of a lost primary, by a failover_command. */
export function failoverExecutor(command: string | null): string {
  if (command === null || command.trim() === "") return "nobody";
  if (callsOurExecutor(command)) return "castellan-failover";
  return command.trim().split(/\s/)[0]?.split("/").at(-1) ?? "";
}

/** Of a failover_command: ours asks the coordinator, and promotes nobody by itself. */
export function callsOurExecutor(command: string): boolean {
  return /(?:^|[\s/])castellan-failover(?:\.js)?(?:\s|$)/.test(command);
}
