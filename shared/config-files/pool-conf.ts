import { effective, parseServerConf, type ServerConf, type SettingEntry } from "./server-conf.ts";

/** kingbasecluster.conf and pgpool.conf: the grammar of the server's own file. */
export type PoolConf = {
  readonly conf: ServerConf;
  /** By lower-case name, the last one wins. */
  readonly settings: ReadonlyMap<string, SettingEntry>;
};

export function parsePoolConf(text: string, file = ""): PoolConf {
  const conf = parseServerConf(text, file, "pool");
  return { conf, settings: effective(conf) };
}

export type BackendRow = {
  /** N of backend_hostnameN. It indexes the status file and every pcp command, so rows are never renumbered. */
  readonly id: number;
  readonly hostname: string;
  readonly port: number | null;
  readonly weight: number;
  readonly dataDirectory: string | null;
  readonly flag: string | null;
  readonly applicationName: string | null;
};

/** In the order of their ids. A row exists when its hostname does. */
export function backends(pool: PoolConf): readonly BackendRow[] {
  const rows: BackendRow[] = [];
  for (const [name, entry] of pool.settings) {
    const id = backendIdOf(name);
    if (id === null || !name.startsWith("backend_hostname") || entry.value === "") continue;
    rows.push({
      id,
      hostname: entry.value,
      port: poolNumber(pool, `backend_port${id}`),
      weight: poolNumber(pool, `backend_weight${id}`) ?? 1,
      dataDirectory: poolText(pool, `backend_data_directory${id}`),
      flag: poolText(pool, `backend_flag${id}`),
      applicationName: poolText(pool, `backend_application_name${id}`),
    });
  }
  return rows.toSorted((a, b) => a.id - b.id);
}

/** The id in `backend_weight2`; null for every other setting. */
export function backendIdOf(name: string): number | null {
  const pattern =
    /^backend_(?:hostname|port|weight|data_directory|flag|application_name)(0|[1-9][0-9]{0,3})$/;
  const digits = pattern.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** Null when it isn't set or empty. */
export function poolText(pool: PoolConf, name: string): string | null {
  return pool.settings.get(name.toLowerCase())?.value || null;
}

/** Whole numbers, bare or in quotes; null for anything else. */
export function poolNumber(pool: PoolConf, name: string): number | null {
  const value = poolText(pool, name);
  return value !== null && /^-?[0-9]{1,15}$/.test(value) ? Number(value) : null;
}

/** `on`, `true`, `yes`, `1`; null when it isn't set. */
export function poolFlag(pool: PoolConf, name: string): boolean | null {
  const value = poolText(pool, name);
  return value === null ? null : /^(?:on|true|t|yes|y|1)$/i.test(value);
}
