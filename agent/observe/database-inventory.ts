import type { DatabaseFacts } from "#shared/domain/facts.ts";
import type { Dialect } from "#shared/products/product.ts";
import { silentPlaces } from "../adapters/answering.ts";
import type { Databases, Row } from "../ports.ts";
import { askFileSettings } from "./file-settings.ts";
import { flagOf, numberOf, textOf } from "./row-values.ts";

/** What changes rarely or costs the server something: settings, sizes, extensions. */
type DatabaseInventory = Pick<
  DatabaseFacts,
  | "versionText"
  | "settings"
  | "pendingRestart"
  | "fileSettings"
  | "configLoadedAt"
  | "dataDirectory"
  | "configFile"
  | "hbaFile"
  | "identFile"
  | "databases"
  | "tablespaces"
  | "extensions"
>;

/** Settings that some check looks at. None that may hold a secret: primary_conninfo stays out. */
const observedSettings = [
  "archive_command archive_dest archive_mode block_size checkpoint_timeout cluster_name config_file",
  "control_file_copy data_checksums data_directory fsync full_page_writes hba_file hot_standby",
  "hot_standby_feedback ident_file lc_collate lc_ctype listen_addresses log_directory",
  "max_connections max_locks_per_transaction max_prepared_transactions max_replication_slots",
  "max_slot_wal_keep_size max_wal_senders max_wal_size max_worker_processes min_wal_size",
  "password_encryption port primary_slot_name recovery_target_timeline restore_command",
  "local_preload_libraries server_encoding server_version server_version_num session_preload_libraries",
  "shared_buffers shared_preload_libraries ssl superuser_reserved_connections",
  "synchronous_commit synchronous_standby_names unix_socket_directories wal_block_size",
  "wal_keep_segments wal_keep_size wal_level wal_log_hints wal_segment_size wal_sender_timeout",
].flatMap((line) => line.split(" "));

export type InventoryAnswer = {
  readonly inventory: Partial<DatabaseInventory>;
  readonly problems: readonly string[];
};

/** Settings and versions only: cheap, asked again after a config file changed. */
export async function askSettings(
  own: Databases["own"],
  dialect: Dialect,
): Promise<InventoryAnswer> {
  const names = observedSettings.map((name) => `'${name}'`).join(", ");
  return collect([
    async () => ({
      ...settingsOf(
        await own.query(
          `SELECT name, setting, pending_restart FROM (${dialect.settings}) s WHERE lower(name) IN (${names}) OR pending_restart`,
        ),
      ),
    }),
    async () => {
      const [row] = await own.query("SELECT version() AS version");
      return row === undefined ? {} : { versionText: textOf(row, "version") };
    },
    () => askFileSettings(own, dialect),
  ]);
}

/** Walks the files of every database on the server's side: rarely, and not while some may not answer. */
export async function askSizes(own: Databases["own"], dialect: Dialect): Promise<InventoryAnswer> {
  if (silentPlaces().length > 0) return { inventory: {}, problems: [] };
  return collect([
    async () => ({ databases: (await own.query(dialect.databases)).map(databaseOf) }),
    async () => ({ tablespaces: (await own.query(dialect.tablespaces)).map(tablespaceOf) }),
    async () => ({ extensions: (await own.query(dialect.extensions)).map(extensionOf) }),
  ]);
}

async function collect(
  questions: readonly (() => Promise<Partial<DatabaseInventory>>)[],
): Promise<InventoryAnswer> {
  let inventory: Partial<DatabaseInventory> = {};
  const problems: string[] = [];
  for (const ask of questions) {
    try {
      inventory = { ...inventory, ...(await ask()) };
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { inventory, problems };
}

function settingsOf(rows: readonly Row[]): Partial<DatabaseInventory> {
  const observed: ReadonlySet<string> = new Set(observedSettings);
  const settings: Record<string, string> = {};
  const pendingRestart: string[] = [];
  for (const row of rows) {
    const name = (textOf(row, "name") ?? "").toLowerCase();
    const setting = textOf(row, "setting");
    if (flagOf(row, "pending_restart")) pendingRestart.push(name);
    if (setting !== null && observed.has(name)) settings[name] = setting;
  }
  return {
    settings,
    pendingRestart: pendingRestart.toSorted(),
    dataDirectory: settings["data_directory"] ?? null,
    configFile: settings["config_file"] ?? null,
    hbaFile: settings["hba_file"] ?? null,
    identFile: settings["ident_file"] ?? null,
  };
}

function databaseOf(row: Row): DatabaseInventory["databases"][number] {
  return {
    name: textOf(row, "name") ?? "",
    bytes: numberOf(row, "bytes") ?? 0,
    encoding: textOf(row, "encoding") ?? "",
    collate: textOf(row, "collate") ?? "",
  };
}

function tablespaceOf(row: Row): DatabaseInventory["tablespaces"][number] {
  return {
    oid: numberOf(row, "oid") ?? 0,
    name: textOf(row, "name") ?? "",
    location: textOf(row, "location") ?? "",
    bytes: numberOf(row, "bytes") ?? 0,
  };
}

function extensionOf(row: Row): DatabaseInventory["extensions"][number] {
  return { name: textOf(row, "name") ?? "", version: textOf(row, "version") ?? "" };
}
