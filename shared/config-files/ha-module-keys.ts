export type HaModuleKey = {
  readonly name: string;
  readonly kind: "text" | "number" | "array";
  /** Its value belongs to one node: never copied to another. */
  readonly nodeSpecific?: true;
  /** Base64 of a password. */
  readonly secret?: true;
};

/** Every key that the vendor's installer (build B0290) writes, in its order, then the optional ones its scripts read. */
export const haModuleKeys: readonly HaModuleKey[] = [
  { name: "DEV", kind: "text", nodeSpecific: true },
  { name: "CMD_IP_PATH", kind: "text" },
  { name: "CMD_ARPING_PATH", kind: "text" },
  { name: "KB_GATEWAY_IP", kind: "text" },
  { name: "KB_LOCALHOST_IP", kind: "text", nodeSpecific: true },
  { name: "SYNC_FLAG", kind: "number" },
  { name: "KB_VIP", kind: "text" },
  { name: "KB_POOL_VIP", kind: "text" },
  { name: "KB_POOL_PORT", kind: "text" },
  { name: "PCP_USER", kind: "text" },
  { name: "PCP_PASS", kind: "text", secret: true },
  { name: "KB_ETC_PATH", kind: "text" },
  { name: "KB_PATH", kind: "text" },
  { name: "KB_LD_PATH", kind: "text" },
  { name: "CLUSTER_BIN_PATH", kind: "text" },
  { name: "CLUSTER_LIB_PATH", kind: "text" },
  { name: "KB_DATA_PATH", kind: "text" },
  { name: "KB_USER", kind: "text" },
  { name: "KB_PASS", kind: "text", secret: true },
  { name: "KB_DATANAME", kind: "text" },
  { name: "KB_PORT", kind: "text" },
  { name: "KB_EXECUTE_SYS_USER", kind: "text" },
  { name: "KB_POOL_EXECUTE_SYS_USER", kind: "text" },
  { name: "RECOVERY_LOG_DIR", kind: "text" },
  { name: "KB_CLUSTER_STATUS", kind: "text" },
  { name: "KB_ALL_IP", kind: "array" },
  { name: "KB_POOL_IP1", kind: "text" },
  { name: "KB_POOL_IP2", kind: "text" },
  { name: "POOL_EXENAME", kind: "text" },
  { name: "KINGBASECLUSTERSOCKET1", kind: "text" },
  { name: "KINGBASECLUSTERSOCKET2", kind: "text" },
  { name: "KINGBASECLUSTERSOCKET3", kind: "text" },
  { name: "KINGBASECLUSTERSOCKET4", kind: "text" },
  { name: "CLUSTER_STAT_FILE", kind: "text" },
  { name: "CLUSTER_LOG_PATH", kind: "text" },
  { name: "CLUSTER_LOG_NAME", kind: "text" },
  { name: "PING_TIMES", kind: "text" },
  { name: "POOL_RESTART", kind: "text" },
  { name: "FAILOVER_LOG_DIR", kind: "text" },
  { name: "CONNECTTIMEOUT", kind: "number" },
  { name: "HEALTH_CHECK_MAX_RETRIES", kind: "number" },
  { name: "HEALTH_CHECK_RETRY_DELAY", kind: "number" },
  { name: "AUTO_PRIMARY_RECOVERY", kind: "number" },
  { name: "ALL_NODE_NAME", kind: "array" },
  { name: "NODE_NAME", kind: "text", nodeSpecific: true },
  { name: "MAX_AVAILABLE_LEVEL", kind: "number" },
  { name: "USE_CHECK_DISK", kind: "number" },
  { name: "MOUNT_POINT_DIR_LIST", kind: "array" },
  { name: "DATA_SIZE_DIFF", kind: "number" },
  { name: "MOUNT_CHECK_MAX_RETRIES", kind: "number" },
];

export const haModuleKey: ReadonlyMap<string, HaModuleKey> = new Map(
  haModuleKeys.map((key) => [key.name, key]),
);
