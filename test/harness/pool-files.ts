import { createHash } from "node:crypto";
import type { ClusterModel, ClusterNode } from "./cluster-model.ts";
import { encodePassword } from "./kingbase/ha-module.ts";

/** Where a pool's files are, as its host sees them. */
export type PoolPaths = {
  /** The command that starts, stops and reloads the pool. */
  readonly binary: string;
  readonly configFile: string;
  readonly pcpFile: string;
  readonly hbaFile: string;
  readonly passwordFile: string;
  readonly pidFile: string;
  /** Holds the status file; the product's name for it is a link beside pgpool's. */
  readonly statusFolder: string;
  readonly statusFile: string;
  readonly socketDir: string;
  readonly logFile: string;
  readonly failoverLog: string;
  readonly failoverCommand: string;
};

export const poolPorts = { client: 9999, pcp: 9898, watchdog: 9000, heartbeat: 9694 } as const;

export function poolPaths({ lane }: ClusterModel, { host, paths }: ClusterNode): PoolPaths {
  if (lane.product === "kingbase-v8r3") {
    const { root } = paths;
    const etc = `${root}/kingbasecluster/etc`;
    return {
      binary: `${root}/kingbasecluster/bin/kingbasecluster`,
      configFile: `${etc}/kingbasecluster.conf`,
      pcpFile: `${etc}/pcp.conf`,
      hbaFile: `${etc}/cluster_hba.conf`,
      passwordFile: `${etc}/cluster_passwd`,
      pidFile: `${root}/log/kingbasecluster/kingbasecluster.pid`,
      statusFolder: `${root}/run/kingbasecluster`,
      statusFile: `${root}/run/kingbasecluster/kingbasecluster_status`,
      socketDir: `${host.root}/tmp`,
      logFile: `${root}/log/cluster.log`,
      failoverLog: `${root}/log/failover.log`,
      failoverCommand: `${root}/kingbasecluster/bin/failover_stream.sh`,
    };
  }
  const etc = `${host.root}/etc/pgpool2`;
  const run = `${host.root}/run/pgpool`;
  const state = `${host.root}/var/lib/pgpool`;
  return {
    binary: "/usr/sbin/pgpool",
    configFile: `${etc}/pgpool.conf`,
    pcpFile: `${etc}/pcp.conf`,
    hbaFile: `${etc}/pool_hba.conf`,
    passwordFile: `${etc}/pool_passwd`,
    pidFile: `${run}/pgpool.pid`,
    statusFolder: state,
    statusFile: `${state}/pgpool_status`,
    socketDir: run,
    logFile: `${state}/pgpool.log`,
    failoverLog: `${state}/failover.log`,
    failoverCommand: `${etc}/failover.sh`,
  };
}

/** Who the pool is when it asks the backends: the vendor's internal superuser, or a role of its own. */
export function checkLogin({ lane, passwords }: ClusterModel): {
  readonly user: string;
  readonly password: string;
  readonly database: string;
} {
  return lane.product === "kingbase-v8r3"
    ? { user: "SUPERMANAGER_V8ADMIN", password: passwords.maintenance, database: "TEMPLATE2" }
    : { user: "pgpool", password: passwords.pcp, database: "postgres" };
}

/** pool_passwd / cluster_passwd: `user:md5` + md5(password + user), which serves both sides of the pool. */
export function poolPasswords(model: ClusterModel): string {
  const { lane, passwords } = model;
  const check = checkLogin(model);
  const logins = new Map([
    [lane.superuser, passwords.superuser],
    ["app", passwords.app],
    [check.user, check.password],
  ]);
  return [...logins].map(([user, password]) => `${user}:md5${md5(password + user)}\n`).join("");
}

export function pcpConf(user: string, password: string): string {
  return `# USERID:MD5PASSWD\n${user}:${md5(password)}\n`;
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

export const poolHba = `# TYPE  DATABASE  USER  ADDRESS  METHOD
local   all   all                 md5
host    all   all   127.0.0.1/32  md5
host    all   all   0.0.0.0/0     md5
host    all   all   ::1/128       md5
`;

/** One `key = value` file for both names of the program; \`vip\` null means no watchdog. */
export function poolConf(
  model: ClusterModel,
  node: ClusterNode,
  { vip, settings }: { vip: string | null; settings: Readonly<Record<string, string>> },
): string {
  const paths = poolPaths(model, node);
  const check = checkLogin(model);
  const quote = (value: string): string => `'${value}'`;
  const listen = quote(model.lab.mode === "loopback" ? node.address : "*");
  const entries: Record<string, string> = {
    backend_clustering_mode: quote("streaming_replication"),
    listen_addresses: listen,
    port: String(poolPorts.client),
    socket_dir: quote(paths.socketDir),
    pcp_listen_addresses: listen,
    pcp_port: String(poolPorts.pcp),
    pcp_socket_dir: quote(paths.socketDir),
    wd_ipc_socket_dir: quote(paths.socketDir),
    pid_file_name: quote(paths.pidFile),
    logdir: quote(paths.statusFolder),
    work_dir: quote(paths.statusFolder),
    memqcache_oiddir: quote(`${paths.statusFolder}/oiddir`),
    memory_cache_enabled: "off",
    enable_pool_hba: "on",
    pool_passwd: quote(paths.passwordFile),
    allow_clear_text_frontend_auth: "off",
    num_init_children: "32",
    max_pool: "1",
    child_life_time: "300",
    connection_life_time: "0",
    load_balance_mode: "on",
    sr_check_period: "2",
    sr_check_user: quote(check.user),
    // Not left to pool_passwd: a pool's processes share one offset in it, and of two that read it in one moment the
    // second finds nothing: a health check without a password takes its backend for down.
    sr_check_password: quote(check.password),
    sr_check_database: quote(check.database),
    delay_threshold: "10000000",
    health_check_period: "2",
    health_check_timeout: "5",
    health_check_user: quote(check.user),
    health_check_password: quote(check.password),
    health_check_database: quote(check.database),
    health_check_max_retries: "3",
    health_check_retry_delay: "1",
    connect_timeout: "3000",
    failover_command: quote(`${paths.failoverCommand} %d %h %p %D %m %H %M %P %r %R`),
    failover_on_backend_error: "off",
    auto_failback: "off",
    search_primary_node_timeout: "10",
    log_destination: "'stderr'",
    ...(model.lane.product === "kingbase-v8r3" ? vendorKeys(model, node) : {}),
    ...(vip === null ? { use_watchdog: "off" } : watchdog(model, node, vip)),
    ...settings,
  };
  const lines = Object.entries(entries).map(([key, value]) => `${key} = ${value}`);
  const backends = model.nodes.flatMap((backend, id) => backendRow(model, backend, id));
  return `# Pool of cluster ${model.name}\n${[...lines, ...backends].join("\n")}\n`;
}

/** The rows of one backend, as an installer appends them. */
function backendRow(model: ClusterModel, node: ClusterNode, id: number): string[] {
  return [
    `backend_hostname${id} = '${node.address}'`,
    `backend_port${id} = ${model.port}`,
    `backend_weight${id} = 1`,
    `backend_data_directory${id} = '${node.paths.dataDir}'`,
    `backend_flag${id} = 'ALLOW_TO_FAILOVER'`,
    // Without it pgpool 4 leaves replication_state empty.
    `backend_application_name${id} = '${node.name}'`,
  ];
}

function watchdog(model: ClusterModel, node: ClusterNode, vip: string): Record<string, string> {
  const perNode = model.nodes.flatMap(({ address }, id): [string, string][] => [
    [`hostname${id}`, `'${address}'`],
    [`wd_port${id}`, String(poolPorts.watchdog)],
    [`pgpool_port${id}`, String(poolPorts.client)],
    [`heartbeat_hostname${id}`, `'${address}'`],
    [`heartbeat_port${id}`, String(poolPorts.heartbeat)],
  ]);
  return {
    use_watchdog: "on",
    ...Object.fromEntries(perNode),
    // The first node leads when both start at once: tests want to know whom the VIP is with.
    wd_priority: model.nodes[0]?.name === node.name ? "3" : "1",
    wd_lifecheck_method: "'heartbeat'",
    wd_interval: "1",
    wd_heartbeat_keepalive: "1",
    wd_heartbeat_deadtime: "6",
    delegate_IP: `'${vip}'`,
    if_cmd_path: "'/usr/sbin'",
    if_up_cmd: "'/usr/sbin/ip addr add $_IP_$/24 dev eth0 label eth0:0'",
    if_down_cmd: "'/usr/sbin/ip addr del $_IP_$/24 dev eth0'",
    arping_path: "'/usr/bin'",
    arping_cmd: "'/usr/bin/arping -U $_IP_$ -c 1 -w 1 -I eth0'",
    ping_path: "'/bin'",
    trusted_servers: "''",
    enable_consensus_with_half_votes: "on",
    failover_when_quorum_exists: "off",
  };
}

/**
 * Keys of the 3.6 lineage that kingbasecluster.conf has and pgpool 4.3 reads past without a word
 * (public vendor script build B0290): whoever edits the file has to live with them.
 */
function vendorKeys(model: ClusterModel, node: ClusterNode): Record<string, string> {
  const other = model.nodes.find(({ name }) => name !== node.name) ?? node;
  return {
    enable_cluster_hba: "on",
    cluster_passwd: "'cluster_passwd'",
    master_slave_mode: "on",
    master_slave_sub_mode: "'stream'",
    replication_mode: "off",
    insert_lock: "off",
    wd_hostname: `'${node.address}'`,
    wd_authkey_base64: `'${encodePassword(model.passwords.pcp)}'`,
    heartbeat_destination0: `'${other.address}'`,
    heartbeat_destination_port0: String(poolPorts.heartbeat),
    heartbeat_device0: "'eth0'",
    other_kingbasecluster_hostname0: `'${other.address}'`,
    other_kingbasecluster_port0: "'9999'",
    other_wd_port0: String(poolPorts.watchdog),
    recovery_user: "'SUPERMANAGER_V8ADMIN'",
  };
}
