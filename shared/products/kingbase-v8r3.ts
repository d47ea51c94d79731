import type { Dialect, Product } from "./product.ts";

/**
 * KingbaseES V8R3: PostgreSQL 9.6 under the product's own names. File names, defaults and paths are
 * those that the vendor's public installer and scripts (build B0290) write. The SQL is proved on an
 * emulation only (PostgreSQL 10 behind these names), see docs/products.md.
 */
export const kingbaseV8R3: Product = {
  id: "kingbase-v8r3",
  title: "KingbaseES V8R3",
  programs: {
    server: "kingbase",
    ctl: "sys_ctl",
    baseBackup: "sys_basebackup",
    controlData: "sys_controldata",
    rewind: "sys_rewind",
  },
  passwordFileVariable: "KCIPASSFILE",
  files: {
    conf: "kingbase.conf",
    autoConf: "kingbase.auto.conf",
    hba: "sys_hba.conf",
    ident: "sys_ident.conf",
    pid: "kingbase.pid",
    version: "SYS_VERSION",
  },
  defaults: {
    port: 54_321,
    database: "TEST",
    maintenanceUser: "SUPERMANAGER_V8ADMIN",
    replicationUser: "SYSTEM",
    osUser: "kingbase",
    pool: "kingbasecluster",
  },
  standbyStyle: () => "recovery-conf",
  followsByReload: () => false,
  // Help text of sys_rewind, build B0290.
  rewindArguments: (dataDirectory, source) => [
    `--target-data=${dataDirectory}`,
    `--source-server=${source}`,
    "--progress",
  ],
  standbyPassword: "base64",
  dialect: () => dialect,
  layout: ({ root }) => {
    const base = root ?? "/home/kingbase/cluster";
    const data = `${base}/db/data`;
    return {
      root: base,
      binDirectory: `${base}/db/bin`,
      dataDirectory: data,
      configFile: `${data}/kingbase.conf`,
      hbaFile: `${data}/sys_hba.conf`,
      identFile: `${data}/sys_ident.conf`,
    };
  },
  poolLayout: (root) => ({
    configFile: `${root ?? "/home/kingbase/cluster"}/kingbasecluster/etc/kingbasecluster.conf`,
    haModuleFile: `${root ?? "/home/kingbase/cluster"}/kingbasecluster/etc/HAmodule.conf`,
    pcpPort: 9898,
    port: 9999,
    socketDirectory: "/tmp",
  }),
  watchedFiles: (paths, pool, home) => {
    const root = paths.root ?? "/home/kingbase/cluster";
    return [
      { path: paths.configFile, format: "server-conf" },
      { path: `${paths.dataDirectory}/kingbase.auto.conf`, format: "auto-conf" },
      { path: paths.hbaFile, format: "hba" },
      { path: paths.identFile, format: "ident" },
      { path: `${paths.dataDirectory}/recovery.conf`, format: "recovery-conf" },
      { path: `${root}/db/etc/kingbase.conf`, format: "server-conf" },
      { path: `${root}/db/etc/recovery.done`, format: "recovery-conf" },
      { path: `${root}/db/etc/HAmodule.conf`, format: "ha-module" },
      { path: "/etc/cron.d/KINGBASECRON", format: "cron" },
      // Where older builds write their lines; cron runs them as well.
      { path: "/etc/crontab", format: "cron" },
      { path: `${home}/.kbpass`, format: "pass" },
      // Every data node attaches itself to the pool (public vendor script, build B0290).
      { path: `${home}/.pcppass`, format: "pass" },
      ...(pool === null
        ? []
        : ([
            { path: pool.configFile, format: "pool-conf" },
            { path: `${root}/kingbasecluster/etc/HAmodule.conf`, format: "ha-module" },
            { path: `${root}/kingbasecluster/etc/cluster_hba.conf`, format: "pool-hba" },
            { path: `${root}/kingbasecluster/etc/cluster_passwd`, format: "pool-passwd" },
            { path: `${root}/kingbasecluster/etc/pcp.conf`, format: "pcp-conf" },
          ] as const)),
    ];
  },
  vendor: {
    haModuleFiles: (paths, pool) => [
      `${paths.root ?? ""}/db/etc/HAmodule.conf`,
      ...(pool?.haModuleFile ? [pool.haModuleFile] : []),
    ],
    recoveryTemplate: (root) => `${root}/db/etc/recovery.done`,
    confTemplate: (root) => `${root}/db/etc/kingbase.conf`,
    directories: (root) => [
      `${root}/archivedir`,
      `${root}/log`,
      `${root}/log/kingbasecluster`,
      `${root}/run`,
      `${root}/run/kingbasecluster`,
      `${root}/db/etc`,
    ],
    licenceFile: (root) => `${root}/license.dat`,
    licenceDays: "SELECT CAST(get_license_validdays() AS text) AS days",
    cronFile: "/etc/cron.d/KINGBASECRON",
    runFlagFile: "/dev/shm/KB_RECOVERY_FLAG",
    nodeCheck: (binDirectory) => `${binDirectory}/network_rewind.sh`,
    poolCheck: (root) => `${root}/kingbasecluster/bin/restartcluster.sh`,
  },
};

/** Views and functions as in the vendor's system_views.sql; unqualified, catalog names never quoted. */
const dialect: Dialect = {
  isInRecovery: "SELECT sys_is_in_recovery() AS standby",
  currentPosition: "SELECT CAST(sys_current_xlog_location() AS text) AS lsn",
  currentWalFile: "SELECT CAST(sys_xlogfile_name(sys_current_xlog_location()) AS text) AS file",
  flushedPosition: "SELECT CAST(sys_current_xlog_flush_location() AS text) AS lsn",
  flushWal: "SELECT CAST(txid_current() AS text) AS id",
  standbyPositions: `SELECT CAST(sys_last_xlog_receive_location() AS text) AS received,
    CAST(sys_last_xlog_replay_location() AS text) AS replayed,
    CAST(CAST(extract(epoch FROM sys_last_xact_replay_timestamp()) * 1000 AS bigint) AS text) AS replayed_at`,
  replication: `SELECT pid, application_name, host(client_addr) AS client_addr, state, sync_state,
    CAST(sent_location AS text) AS sent, CAST(write_location AS text) AS write,
    CAST(flush_location AS text) AS flush, CAST(replay_location AS text) AS replay
    FROM sys_stat_replication`,
  // Temporary slots came with PostgreSQL 10 (its release notes).
  slots: `SELECT CAST(slot_name AS text) AS name, slot_type AS type, CAST(plugin AS text) AS plugin,
    CAST(database AS text) AS database, false AS temporary, active, active_pid,
    CAST(restart_lsn AS text) AS restart_lsn, CAST(xmin AS text) AS xmin, age(xmin) AS xmin_age,
    CAST(catalog_xmin AS text) AS catalog_xmin, age(catalog_xmin) AS catalog_xmin_age,
    CAST(NULL AS text) AS wal_status FROM sys_replication_slots`,
  receiver: `SELECT status, CAST(slot_name AS text) AS slot_name, conninfo,
    receive_start_tli AS timeline,
    extract(epoch FROM clock_timestamp() - last_msg_receipt_time) * 1000 AS message_age_ms
    FROM sys_stat_wal_receiver`,
  upstreamClock: `SELECT extract(epoch FROM last_msg_send_time - last_msg_receipt_time) * 1000 AS ahead_ms
    FROM sys_stat_wal_receiver`,
  createSlot:
    "SELECT CAST(slot_name AS text) AS name FROM sys_create_physical_replication_slot($1, $2)",
  dropSlot: "SELECT sys_drop_replication_slot($1)",
  terminateSlotHolder: `SELECT sys_terminate_backend(active_pid) AS ended
    FROM sys_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL`,
  // Before PostgreSQL 10 no walsender may show its command: then none is ended here, and TCP's own limit does it.
  terminateCopy: `SELECT sys_terminate_backend(r.pid) AS ended
    FROM sys_stat_replication r JOIN sys_stat_activity a ON a.pid = r.pid
    WHERE r.state = 'backup' AND a.query LIKE 'BASE_BACKUP%'
    AND strpos(a.query, 'LABEL ''' || $1 || '''') > 0`,
  reload: "SELECT sys_reload_conf() AS reloaded",
  hbaProblems: null,
  synchronousNames: "SELECT current_setting('synchronous_standby_names') AS names",
  settings: "SELECT name, setting, pending_restart FROM sys_settings",
  fileSettings: `SELECT name, sourcefile AS file, CAST(sourceline AS text) AS line,
      CAST(seqno AS text) AS place, setting AS value, error FROM sys_file_settings`,
  runningSettings: `SELECT name, setting AS value, unit, vartype, context, source,
      sourcefile AS file, CAST(sourceline AS text) AS line, min_val AS least, max_val AS most,
      pending_restart FROM sys_settings`,
  // Whether it has such a function could not be looked up.
  configLoaded: null,
  databases: `SELECT CAST(datname AS text) AS name, CAST(sys_database_size(datname) AS text) AS bytes,
    CAST(sys_encoding_to_char(encoding) AS text) AS encoding, CAST(datcollate AS text) AS collate
    FROM sys_database WHERE datallowconn`,
  tablespaces: `SELECT CAST(oid AS int) AS oid, CAST(spcname AS text) AS name,
    sys_tablespace_location(oid) AS location, CAST(sys_tablespace_size(oid) AS text) AS bytes
    FROM sys_tablespace WHERE sys_tablespace_location(oid) <> ''`,
  control: null,
  archiver: `SELECT CAST(archived_count AS text) AS archived_count, last_archived_wal,
    CAST(CAST(extract(epoch FROM last_archived_time) * 1000 AS bigint) AS text) AS last_archived_at,
    CAST(failed_count AS text) AS failed_count, last_failed_wal,
    CAST(CAST(extract(epoch FROM last_failed_time) * 1000 AS bigint) AS text) AS last_failed_at
    FROM sys_stat_archiver`,
  clientSessions: `SELECT CAST(count(*) AS int) AS n FROM sys_stat_activity
    WHERE pid <> sys_backend_pid() AND application_name <> 'castellan-agent' AND state IS NOT NULL`,
  extensions: "SELECT CAST(extname AS text) AS name, extversion AS version FROM sys_extension",
  largestTables: `SELECT CAST(n.nspname AS text) AS schema, CAST(c.relname AS text) AS table,
    CAST(sys_table_size(c.oid) AS text) AS bytes FROM sys_class c JOIN sys_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence = 'p'
    AND n.nspname NOT IN ('SYS_CATALOG', 'sys_catalog', 'pg_catalog', 'INFORMATION_SCHEMA', 'information_schema')
    AND n.nspname NOT LIKE 'pg_toast%' AND n.nspname NOT LIKE 'SYS_TOAST%'
    ORDER BY sys_table_size(c.oid) DESC, 1, 2 LIMIT $1`,
};
