import type { Dialect, Product } from "./product.ts";

/** PostgreSQL 10 to 18. Names and columns: PostgreSQL docs of each version. */
export const postgresql: Product = {
  id: "postgresql",
  title: "PostgreSQL",
  programs: {
    server: "postgres",
    ctl: "pg_ctl",
    baseBackup: "pg_basebackup",
    controlData: "pg_controldata",
    rewind: "pg_rewind",
  },
  passwordFileVariable: "PGPASSFILE",
  files: {
    conf: "postgresql.conf",
    autoConf: "postgresql.auto.conf",
    hba: "pg_hba.conf",
    ident: "pg_ident.conf",
    pid: "postmaster.pid",
    version: "PG_VERSION",
  },
  defaults: {
    port: 5432,
    database: "postgres",
    maintenanceUser: "postgres",
    replicationUser: "postgres",
    osUser: "postgres",
    pool: "pgpool",
  },
  standbyStyle: (versionNumber) => (versionNumber >= 120_000 ? "standby-signal" : "recovery-conf"),
  // PostgreSQL docs, release notes of 13: primary_conninfo and primary_slot_name without a restart.
  followsByReload: (versionNumber) => versionNumber >= 130_000,
  rewindArguments: (dataDirectory, source, versionNumber) => [
    `--target-pgdata=${dataDirectory}`,
    `--source-server=${source}`,
    "--progress",
    // PostgreSQL docs, release notes of 13: by itself it would start a server that was not stopped cleanly.
    ...(versionNumber >= 130_000 ? ["--no-ensure-shutdown"] : []),
  ],
  standbyPassword: "clear",
  // PostgreSQL docs, release notes of 13: wal_status in pg_replication_slots.
  dialect: (versionNumber) => (versionNumber >= 130_000 ? dialect13 : dialect),
  layout: ({ versionNumber }) => {
    const major = versionNumber === null ? 15 : Math.floor(versionNumber / 10_000);
    const data = `/var/lib/postgresql/${major}/main`;
    return {
      root: null,
      binDirectory: `/usr/lib/postgresql/${major}/bin`,
      dataDirectory: data,
      configFile: `${data}/postgresql.conf`,
      hbaFile: `${data}/pg_hba.conf`,
      identFile: `${data}/pg_ident.conf`,
    };
  },
  poolLayout: () => ({
    configFile: "/etc/pgpool2/pgpool.conf",
    haModuleFile: null,
    pcpPort: 9898,
    port: 9999,
    socketDirectory: "/var/run/postgresql",
  }),
  watchedFiles: (paths, pool, home) => [
    { path: paths.configFile, format: "server-conf" },
    { path: `${paths.dataDirectory}/postgresql.auto.conf`, format: "auto-conf" },
    { path: paths.hbaFile, format: "hba" },
    { path: paths.identFile, format: "ident" },
    { path: `${paths.dataDirectory}/recovery.conf`, format: "recovery-conf" },
    { path: `${paths.dataDirectory}/standby.signal`, format: "signal" },
    { path: `${home}/.pgpass`, format: "pass" },
    ...(pool === null
      ? []
      : ([
          { path: pool.configFile, format: "pool-conf" },
          { path: beside(pool.configFile, "pool_hba.conf"), format: "pool-hba" },
          { path: beside(pool.configFile, "pcp.conf"), format: "pcp-conf" },
          { path: beside(pool.configFile, "pool_passwd"), format: "pool-passwd" },
          { path: `${home}/.pcppass`, format: "pass" },
        ] as const)),
  ],
  vendor: null,
};

function beside(file: string, name: string): string {
  return `${file.slice(0, file.lastIndexOf("/"))}/${name}`;
}

function slotsWith(walStatus: string): string {
  return `SELECT slot_name::text AS name, slot_type AS type, plugin::text AS plugin,
      database::text AS database, temporary, active, active_pid, restart_lsn::text AS restart_lsn,
      xmin::text AS xmin, age(xmin) AS xmin_age, catalog_xmin::text AS catalog_xmin,
      age(catalog_xmin) AS catalog_xmin_age, ${walStatus} AS wal_status FROM pg_replication_slots`;
}

/** The `*_wal_*`/`*_lsn` names that came with version 10; the columns used are the same up to 18. */
const dialect: Dialect = {
  isInRecovery: "SELECT pg_is_in_recovery() AS standby",
  currentPosition: "SELECT pg_current_wal_lsn()::text AS lsn",
  currentWalFile: "SELECT pg_walfile_name(pg_current_wal_lsn())::text AS file",
  flushedPosition: "SELECT pg_current_wal_flush_lsn()::text AS lsn",
  flushWal: "SELECT CAST(txid_current() AS text) AS id",
  standbyPositions: `SELECT pg_last_wal_receive_lsn()::text AS received, pg_last_wal_replay_lsn()::text AS replayed,
      (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000)::bigint::text AS replayed_at`,
  replication: `SELECT pid, application_name, host(client_addr) AS client_addr, state, sync_state,
      sent_lsn::text AS sent, write_lsn::text AS write, flush_lsn::text AS flush, replay_lsn::text AS replay
      FROM pg_stat_replication`,
  slots: slotsWith("NULL::text"),
  receiver: `SELECT status, slot_name::text AS slot_name, conninfo,
      received_tli AS timeline,
      extract(epoch FROM clock_timestamp() - last_msg_receipt_time) * 1000 AS message_age_ms
      FROM pg_stat_wal_receiver`,
  upstreamClock: `SELECT extract(epoch FROM last_msg_send_time - last_msg_receipt_time) * 1000 AS ahead_ms
      FROM pg_stat_wal_receiver`,
  createSlot: "SELECT slot_name::text AS name FROM pg_create_physical_replication_slot($1, $2)",
  dropSlot: "SELECT pg_drop_replication_slot($1)",
  terminateSlotHolder: `SELECT pg_terminate_backend(active_pid) AS ended
      FROM pg_replication_slots WHERE slot_name = $1 AND active_pid IS NOT NULL`,
  terminateCopy: `SELECT pg_terminate_backend(r.pid) AS ended
      FROM pg_stat_replication r JOIN pg_stat_activity a ON a.pid = r.pid
      WHERE r.state = 'backup' AND a.query LIKE 'BASE_BACKUP%'
      AND strpos(a.query, 'LABEL ''' || $1 || '''') > 0`,
  reload: "SELECT pg_reload_conf() AS reloaded",
  hbaProblems:
    "SELECT line_number::text AS line, error FROM pg_hba_file_rules WHERE error IS NOT NULL",
  synchronousNames: "SELECT current_setting('synchronous_standby_names') AS names",
  settings: "SELECT name, setting, pending_restart FROM pg_settings",
  fileSettings: `SELECT name, sourcefile AS file, sourceline::text AS line, seqno::text AS place,
      setting AS value, error FROM pg_file_settings`,
  runningSettings: `SELECT name, setting AS value, unit, vartype, context, source,
      sourcefile AS file, sourceline::text AS line, min_val AS least, max_val AS most, pending_restart
      FROM pg_settings`,
  configLoaded:
    "SELECT (extract(epoch FROM pg_conf_load_time()) * 1000)::bigint::text AS loaded_at",
  databases: `SELECT datname::text AS name, pg_database_size(oid)::text AS bytes,
      pg_encoding_to_char(encoding)::text AS encoding, datcollate::text AS collate
      FROM pg_database WHERE datallowconn`,
  tablespaces: `SELECT oid::int AS oid, spcname::text AS name, pg_tablespace_location(oid) AS location,
      pg_tablespace_size(oid)::text AS bytes FROM pg_tablespace
      WHERE pg_tablespace_location(oid) <> ''`,
  control: `SELECT s.system_identifier::text AS system_identifier,
      greatest(c.timeline_id, r.min_recovery_end_timeline) AS timeline
      FROM pg_control_system() s, pg_control_checkpoint() c, pg_control_recovery() r`,
  archiver: `SELECT archived_count::text AS archived_count, last_archived_wal,
      (extract(epoch FROM last_archived_time) * 1000)::bigint::text AS last_archived_at,
      failed_count::text AS failed_count, last_failed_wal,
      (extract(epoch FROM last_failed_time) * 1000)::bigint::text AS last_failed_at
      FROM pg_stat_archiver`,
  clientSessions: `SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'castellan-agent'`,
  extensions: "SELECT extname::text AS name, extversion AS version FROM pg_extension",
  largestTables: `SELECT n.nspname::text AS schema, c.relname::text AS table,
      pg_table_size(c.oid)::text AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg_toast%' ORDER BY pg_table_size(c.oid) DESC, 1, 2 LIMIT $1`,
};

const dialect13: Dialect = { ...dialect, slots: slotsWith("wal_status") };
