/** HAmodule.conf with every key of the public installer script, build B0290, in its defaults. */
export type HaModuleInput = {
  readonly root: string;
  readonly address: string;
  readonly nodeName: string;
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  readonly pools: readonly [string, string];
  readonly device: string;
  readonly gateway: string;
  readonly vip: string;
  readonly poolVip: string;
  readonly port: number;
  readonly database: string;
  readonly osUser: string;
  readonly pcpPassword: string;
  readonly maintenanceUser: string;
  readonly maintenancePassword: string;
  readonly isSynchronous: boolean;
};

/** Base64 without a trailing newline, as the case study's files have it. */
export function encodePassword(password: string): string {
  return Buffer.from(password).toString("base64");
}

export function haModule(input: HaModuleInput): string {
  const { root } = input;
  return `#!/bin/bash
# Cluster HA module configuration. One KEY=value a line, no blanks around the equals sign.

# network
DEV="${input.device}"
CMD_IP_PATH="/sbin"
CMD_ARPING_PATH="${root}/db/bin"
KB_GATEWAY_IP="${input.gateway}"
KB_LOCALHOST_IP="${input.address}"

# 1: synchronous cluster, 0: asynchronous
SYNC_FLAG=${input.isSynchronous ? 1 : 0}

# virtual addresses: the database's has a mask, the pool's has none
KB_VIP="${input.vip}"
KB_POOL_VIP="${input.poolVip}"
KB_POOL_PORT="9999"
PCP_USER="kingbase"
PCP_PASS="${encodePassword(input.pcpPassword)}"

# paths
KB_ETC_PATH="${root}/db/etc"
KB_PATH="${root}/db/bin"
KB_LD_PATH="${root}/db/lib"
CLUSTER_BIN_PATH="${root}/kingbasecluster/bin"
CLUSTER_LIB_PATH="${root}/kingbasecluster/lib"
KB_DATA_PATH="${root}/db/data"

# database
KB_USER="${input.maintenanceUser}"
KB_PASS="${encodePassword(input.maintenancePassword)}"
KB_DATANAME="${input.database}"
KB_PORT="${input.port}"
KB_EXECUTE_SYS_USER="${input.osUser}"
KB_POOL_EXECUTE_SYS_USER="root"

RECOVERY_LOG_DIR="${root}/log/recovery.log"
KB_CLUSTER_STATUS="${root}/log/pool_nodes"

# every data node, separated by blanks
KB_ALL_IP=(${input.nodes.map(({ address }) => address).join(" ")})
KB_POOL_IP1="${input.pools[0]}"
KB_POOL_IP2="${input.pools[1]}"

POOL_EXENAME="kingbasecluster"
KINGBASECLUSTERSOCKET1="/tmp/.s.KINGBASE.9999"
KINGBASECLUSTERSOCKET2="/tmp/.s.KINGBASE.9898"
KINGBASECLUSTERSOCKET3="/tmp/.s.KINGBASECLUSTERWD_CMD.9000"
KINGBASECLUSTERSOCKET4="/tmp/.s.KINGBASECLUSTERWD_CMD.9000.lock"
CLUSTER_STAT_FILE="${root}/run/kingbasecluster/kingbasecluster_status"
CLUSTER_LOG_PATH="${root}/log"
CLUSTER_LOG_NAME="cluster.log"
PING_TIMES="3"
POOL_RESTART="${root}/log/cluster_restart.log"
FAILOVER_LOG_DIR="${root}/log/failover.log"
CONNECTTIMEOUT=10
HEALTH_CHECK_MAX_RETRIES=6
HEALTH_CHECK_RETRY_DELAY=10

# whether a former primary is turned into a standby by itself
AUTO_PRIMARY_RECOVERY=0

# every node's name; the order is the synchronous priority
ALL_NODE_NAME=(${input.nodes.map(({ name }) => name).join(" ")})
NODE_NAME="${input.nodeName}"
`;
}

/** /etc/cron.d/KINGBASECRON: two blanks before the command, as the vendor's scripts write and match it. */
export function cronFile(
  root: string,
  osUser: string,
  { isManagement, active }: { readonly isManagement: boolean; readonly active: boolean },
): string {
  const lines = [
    `*/1 * * * * ${osUser}  ${root}/db/bin/network_rewind.sh`,
    ...(isManagement ? [`*/1 * * * * root  ${root}/kingbasecluster/bin/restartcluster.sh`] : []),
  ];
  return `${lines.map((line) => (active ? line : `#${line}`)).join("\n")}\n`;
}
