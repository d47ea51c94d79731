/**
 * KingbaseES' names for what PostgreSQL calls otherwise, made in pg_catalog so that any
 * search_path finds them. Names and columns follow the public sample files of build B0290.
 * Needs a server started with allow_system_table_mods; goes into every template database.
 */
export const catalogSql = (major: number): string => `
SET search_path = pg_catalog;
CREATE OR REPLACE VIEW sys_stat_replication AS
 SELECT pid, usesysid, usename, application_name, client_addr, client_hostname, client_port,
        backend_start, backend_xmin, state, sent_lsn AS sent_location, write_lsn AS write_location,
        flush_lsn AS flush_location, replay_lsn AS replay_location, sync_priority, sync_state
   FROM pg_stat_replication;
CREATE OR REPLACE VIEW sys_replication_slots AS
 SELECT slot_name, plugin, slot_type, datoid, database, active, active_pid, xmin, catalog_xmin,
        restart_lsn, confirmed_flush_lsn
   FROM pg_replication_slots;
CREATE OR REPLACE VIEW sys_stat_activity AS SELECT * FROM pg_stat_activity;
CREATE OR REPLACE VIEW sys_settings AS SELECT * FROM pg_settings;
CREATE OR REPLACE VIEW sys_file_settings AS SELECT * FROM pg_file_settings;
CREATE OR REPLACE VIEW sys_stat_database AS SELECT * FROM pg_stat_database;
CREATE OR REPLACE VIEW sys_stat_archiver AS SELECT * FROM pg_stat_archiver;
CREATE OR REPLACE VIEW sys_extension AS SELECT * FROM pg_extension;
CREATE OR REPLACE VIEW sys_namespace AS SELECT oid, nspname, nspowner FROM pg_namespace;
CREATE OR REPLACE VIEW sys_class AS
 SELECT oid, relname, relnamespace, relowner, relkind, relpersistence, reltuples, relpages,
        ${major < 11 ? "relhaspkey, " : ""}reltablespace
   FROM pg_class;
CREATE OR REPLACE VIEW sys_database AS
 SELECT oid, datname, datdba, encoding, datcollate, datctype, datistemplate, datallowconn, datconnlimit
   FROM pg_database;
CREATE OR REPLACE VIEW sys_roles AS SELECT * FROM pg_roles;
CREATE OR REPLACE VIEW sys_tablespace AS SELECT oid, spcname, spcowner, spcacl, spcoptions FROM pg_tablespace;
CREATE OR REPLACE VIEW sys_stat_wal_receiver AS
 SELECT pid, status, receive_start_lsn, receive_start_tli, ${major < 13 ? "received_lsn" : "flushed_lsn AS received_lsn"}, received_tli,
        last_msg_send_time, last_msg_receipt_time, latest_end_lsn, latest_end_time, slot_name, conninfo
   FROM pg_stat_wal_receiver;
CREATE OR REPLACE FUNCTION sys_is_in_recovery() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT pg_catalog.pg_is_in_recovery()';
CREATE OR REPLACE FUNCTION sys_current_xlog_location() RETURNS pg_lsn LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_current_wal_lsn()';
CREATE OR REPLACE FUNCTION sys_current_xlog_insert_location() RETURNS pg_lsn LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_current_wal_insert_lsn()';
CREATE OR REPLACE FUNCTION sys_current_xlog_flush_location() RETURNS pg_lsn LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_current_wal_flush_lsn()';
CREATE OR REPLACE FUNCTION sys_last_xlog_receive_location() RETURNS pg_lsn LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_last_wal_receive_lsn()';
CREATE OR REPLACE FUNCTION sys_last_xlog_replay_location() RETURNS pg_lsn LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_last_wal_replay_lsn()';
CREATE OR REPLACE FUNCTION sys_last_xact_replay_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_last_xact_replay_timestamp()';
CREATE OR REPLACE FUNCTION sys_xlog_location_diff(a pg_lsn, b pg_lsn) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.pg_wal_lsn_diff(a, b)';
CREATE OR REPLACE FUNCTION sys_xlogfile_name(l pg_lsn) RETURNS text LANGUAGE sql AS 'SELECT pg_catalog.pg_walfile_name(l)';
CREATE OR REPLACE FUNCTION sys_switch_xlog() RETURNS pg_lsn LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_switch_wal()';
CREATE OR REPLACE FUNCTION sys_xlog_replay_pause() RETURNS void LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_wal_replay_pause()';
CREATE OR REPLACE FUNCTION sys_xlog_replay_resume() RETURNS void LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_wal_replay_resume()';
CREATE OR REPLACE FUNCTION sys_is_xlog_replay_paused() RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_is_wal_replay_paused()';
CREATE OR REPLACE FUNCTION sys_reload_conf() RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_reload_conf()';
CREATE OR REPLACE FUNCTION sys_terminate_backend(pid int) RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_terminate_backend(pid)';
CREATE OR REPLACE FUNCTION sys_backend_pid() RETURNS int LANGUAGE sql STABLE AS 'SELECT pg_catalog.pg_backend_pid()';
CREATE OR REPLACE FUNCTION sys_encoding_to_char(int) RETURNS name LANGUAGE sql STABLE AS 'SELECT pg_catalog.pg_encoding_to_char($1)';
CREATE OR REPLACE FUNCTION sys_postmaster_start_time() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT pg_catalog.pg_postmaster_start_time()';
CREATE OR REPLACE FUNCTION sys_database_size(name) RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_database_size($1)';
CREATE OR REPLACE FUNCTION sys_database_size(oid) RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_database_size($1)';
CREATE OR REPLACE FUNCTION sys_tablespace_size(oid) RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_tablespace_size($1)';
CREATE OR REPLACE FUNCTION sys_tablespace_location(oid) RETURNS text LANGUAGE sql STABLE AS 'SELECT pg_catalog.pg_tablespace_location($1)';
CREATE OR REPLACE FUNCTION sys_table_size(regclass) RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_table_size($1)';
CREATE OR REPLACE FUNCTION sys_create_physical_replication_slot(slotname name, immediately_reserve boolean DEFAULT false, OUT slot_name name, OUT xlog_position pg_lsn)
 LANGUAGE plpgsql VOLATILE AS $$ DECLARE r record; BEGIN
   SELECT * INTO r FROM pg_catalog.pg_create_physical_replication_slot(slotname, immediately_reserve) AS t(n, l);
   slot_name := r.n; xlog_position := r.l; END $$;
CREATE OR REPLACE FUNCTION sys_drop_replication_slot(slotname name) RETURNS void LANGUAGE plpgsql VOLATILE AS
 $$ BEGIN PERFORM pg_catalog.pg_drop_replication_slot(slotname); END $$;
${major < 15 ? exclusiveBackup : ""}GRANT SELECT ON sys_stat_replication, sys_replication_slots, sys_stat_activity, sys_settings, sys_stat_database,
 sys_stat_archiver, sys_extension, sys_namespace, sys_class, sys_database, sys_roles, sys_tablespace,
 sys_stat_wal_receiver TO public;
RESET search_path;
`;

/** Exclusive backups are no more in 15. */
const exclusiveBackup = `CREATE OR REPLACE FUNCTION sys_start_backup(label text, fast boolean DEFAULT false, exclusive boolean DEFAULT true) RETURNS pg_lsn LANGUAGE sql VOLATILE AS
 'SELECT pg_catalog.pg_start_backup(label, fast, exclusive)';
CREATE OR REPLACE FUNCTION sys_stop_backup() RETURNS pg_lsn LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.pg_stop_backup()';
`;
