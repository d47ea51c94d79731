import type { PoolFacts, PoolRow } from "#shared/domain/facts.ts";
import { asFailure } from "#shared/errors.ts";
import {
  parsePoolConf,
  type PoolConf,
  backends,
  poolText,
} from "#shared/config-files/pool-conf.ts";
import { poolSettings, type PoolSettings } from "#shared/config-files/pool-settings.ts";
import {
  isStillAlive,
  liveProcess,
  pidInFile,
  type LocalProcess,
} from "../adapters/local-processes.ts";
import {
  fileSignature,
  readSmallFile,
  sameSignature,
  type FileSignature,
} from "../adapters/local-system.ts";
import type { Ports } from "../ports.ts";
import { createPcpReader, type PcpReader } from "./pool-pcp.ts";
import { parseIsLeader, parseNodeInfo, poolRowOf, sessionsToPort } from "./pool-status.ts";

export type PoolPorts = Pick<
  Ports,
  "settings" | "clock" | "programs" | "files" | "databases" | "secrets" | "rootHelper"
>;

/** fresh: nothing from memory; settings: its configuration may have changed. */
type PoolWant = { readonly fresh: boolean; readonly settings?: boolean };

export type PoolObserver = {
  /** null on a node that runs no pool. Programs run only when it is time, or `fresh`. */
  observe(want: PoolWant): Promise<PoolFacts | null>;
  /** It died: its pid file is there, and names no living process. A clean stop takes the file away. */
  isDead(): boolean;
};

/**
 * Each question is a process or a session: asked when the pool's status file says that some row changed, when an
 * operation wants a fresh look, and once in a while.
 */
const rowsEveryMs = 60_000;
const retryEveryMs = 10_000;
const confEveryMs = 10_000;

/** Settings that a check or a person looks at; none of them is a secret. */
const observedSettings = (
  "listen_addresses port pcp_listen_addresses pcp_port socket_dir unix_socket_directories pid_file_name logdir " +
  "num_init_children max_pool client_idle_limit connection_life_time child_life_time load_balance_mode " +
  "master_slave_mode backend_clustering_mode sr_check_period sr_check_user delay_threshold health_check_period " +
  "health_check_timeout health_check_user health_check_max_retries auto_failback failover_command failback_command " +
  "follow_primary_command follow_master_command fail_over_on_backend_error failover_on_backend_error " +
  "search_primary_node_timeout use_watchdog trusted_servers delegate_ip delegate_IP wd_hostname wd_port " +
  "if_cmd_path enable_pool_hba enable_cluster_hba pool_passwd cluster_passwd"
).split(" ");

export function createPoolObserver(ports: PoolPorts): PoolObserver {
  const pool = ports.settings.pool;
  if (pool === null) return { observe: async () => null, isDead: () => false };
  const { configFile, kind } = pool;
  const pcp = createPcpReader(ports, pool);
  const nothing: PoolFacts = {
    kind,
    pid: null,
    settings: {},
    version: null,
    status: "stopped",
    problem: null,
    rows: [],
    isLeader: null,
    clientSessions: 0,
  };
  let last: PoolFacts | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let seenStatus = "";
  let version: string | null = null;
  const readConf = createConfReader(ports, configFile);
  let process: LocalProcess | null = null;
  let isDead = false;

  async function observe({ fresh, settings: isEdited = false }: PoolWant): Promise<PoolFacts> {
    const conf = await readConf(fresh || isEdited);
    const settings = conf === null ? (last?.settings ?? {}) : conf.visible;
    const isRunning = process !== null && isStillAlive(process);
    const hasJustGone = process !== null && !isRunning;
    const mayAskHelper = fresh || hasJustGone || ports.clock.elapsedMs() - askedAt >= retryEveryMs;
    if (!isRunning) {
      process = await poolProcess(conf, mayAskHelper ? ports.rootHelper : null);
    }
    const pid = process?.pid ?? null;
    isDead = pid === null && (await hasStalePid(conf, mayAskHelper ? ports.rootHelper : null, isDead)); // prettier-ignore
    const known = { kind, pid, settings, version };
    if (pid === null && !(await hasHiddenPid(conf))) {
      last = { ...nothing, ...known };
      askedAt = Number.NEGATIVE_INFINITY;
      return last;
    }
    const now = ports.clock.elapsedMs();
    const isNew = last?.pid !== pid;
    const status = await statusSignature(conf);
    const everyMs = last?.status === "running" ? rowsEveryMs : retryEveryMs;
    const wantsRows = fresh || isNew || status !== seenStatus || now - askedAt >= everyMs;
    if (!wantsRows && last !== null) {
      last = { ...last, ...known };
      return last;
    }
    askedAt = now;
    seenStatus = status;
    version ??= await pcp.version();
    const seen = { ...known, version, clientSessions: await countSessions(pool?.port ?? 0) };
    try {
      const rows = await poolRows(ports, pcp);
      last = { ...seen, status: "running", problem: null, rows: [...rows], isLeader: null };
    } catch (error) {
      const problem = asFailure(error).message;
      const rows = isNew ? [] : (last?.rows ?? []);
      last = { ...seen, status: "unreachable", problem, rows, isLeader: null };
      return last;
    }
    last = { ...last, isLeader: await leader(conf, pcp) };
    return last;
  }
  return {
    isDead: () => isDead,
    observe: async (want) => {
      try {
        return await observe(want);
      } catch (error) {
        const { code, message } = asFailure(error);
        if (code !== "STALLED") throw error;
        last = { ...(last ?? nothing), status: "unreachable", problem: message };
        return last;
      }
    },
  };
}

/** The pcp programs leave no client session behind; older lineages without `--all` are asked over one short session. */
async function poolRows(ports: PoolPorts, pcp: PcpReader): Promise<readonly PoolRow[]> {
  const printed = await pcp.nodes();
  const rows = printed === null ? null : parseNodeInfo(printed);
  if (rows !== null && rows.length > 0) return rows;
  const { pool, database } = ports.settings;
  await using session = await ports.databases.connect(
    {
      host: pool?.pcpHost ?? "localhost",
      port: pool?.port ?? 0,
      user: database.user,
      database: database.name,
      replication: false,
      secret: "database",
    },
    { timeoutMs: 5_000 },
  );
  return (await session.query("show pool_nodes")).map(poolRowOf);
}

async function leader(conf: KnownConf | null, pcp: PcpReader): Promise<boolean | null> {
  if (conf?.settings.watchdog.enabled !== true) return null;
  const printed = await pcp.watchdog();
  return printed === null ? null : parseIsLeader(printed);
}

type KnownConf = {
  readonly settings: PoolSettings;
  readonly visible: Readonly<Record<string, string>>;
};

/** Read again only when the file is another one; whoever watches it tells that sooner than its next look. */
function createConfReader(
  ports: PoolPorts,
  path: string,
): (again: boolean) => Promise<KnownConf | null> {
  let seen: { readonly signature: FileSignature | null; readonly conf: KnownConf | null } | null =
    null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  return async (again) => {
    const now = ports.clock.elapsedMs();
    if (seen !== null && !again && now - lookedAt < confEveryMs) return seen.conf;
    lookedAt = now;
    const signature = await fileSignature(path);
    if (seen !== null && sameSignature(seen.signature, signature)) return seen.conf;
    const file = await ports.files.read(path).catch(() => null);
    seen = { signature, conf: file === null ? null : knownOf(parsePoolConf(file.text, path)) };
    return seen.conf;
  };
}

function knownOf(conf: PoolConf): KnownConf {
  return { settings: poolSettings(conf), visible: visibleSettings(conf) };
}

function visibleSettings(conf: PoolConf): Record<string, string> {
  const rows = backends(conf).flatMap((row) =>
    ["hostname", "port", "weight", "data_directory", "flag", "application_name"].map(
      (key) => `backend_${key}${row.id}`,
    ),
  );
  const settings: Record<string, string> = {};
  for (const name of [...observedSettings, ...rows]) {
    const value = poolText(conf, name);
    if (value !== null) settings[name] = value;
  }
  return settings;
}

/** The pool may run as another user: only what every user may see of a process is asked, or root's helper. */
async function poolProcess(
  conf: KnownConf | null,
  helper: PoolPorts["rootHelper"] | null,
): Promise<LocalProcess | null> {
  const file = conf?.settings.pidFile ?? null;
  if (file === null) return null;
  const pid = (await pidInFile(file)) ?? (await hiddenPid(file, helper));
  const process = pid === null ? null : liveProcess(pid);
  return process !== null && /^(pgpool|kingbasecluster)/.test(process.name) ? process : null;
}

/** A pool of root's has a pid file that only root may read (pgpool's umask is 077). */
async function hiddenPid(
  file: string,
  helper: PoolPorts["rootHelper"] | null,
): Promise<number | null> {
  if (helper === null || (await fileSignature(file)) === null) return null;
  if (!(await helper.verbs()).includes("pool-status")) return null;
  // Refused or failed: the control port is asked all the same.
  const { stdout } = await helper.run("pool-status").catch(() => ({ stdout: "" }));
  const pid = /^running ([1-9]\d*)$/m.exec(stdout)?.[1];
  return pid === undefined ? null : Number(pid);
}

/** The pid file is there and tells us nothing: whether the pool runs is then for its control port to say. */
async function hasHiddenPid(conf: KnownConf | null): Promise<boolean> {
  const file = conf?.settings.pidFile ?? null;
  return file !== null && (await fileSignature(file)) !== null && (await pidInFile(file)) === null;
}

/** A pid file without a pool. Of one that only root may read its helper says so; what it said stands until it is asked again. */
async function hasStalePid(
  conf: KnownConf | null,
  helper: PoolPorts["rootHelper"] | null,
  before: boolean,
): Promise<boolean> {
  const file = conf?.settings.pidFile ?? null;
  if (file === null || (await fileSignature(file)) === null) return false;
  // Damaged, or the number of a process that is no pool: poolProcess() has looked.
  if ((await readSmallFile(file)) !== null) return true;
  if (helper === null) return before;
  if (!(await helper.verbs()).includes("pool-status")) return false;
  try {
    return (await helper.run("pool-status")).stdout.trim() === "stopped";
  } catch (error) {
    return asFailure(error).code === "STALLED" ? before : true;
  }
}

/** Open client sessions by TCP, without asking the pool. The kernel walks its whole table for it: not at every look. */
async function countSessions(port: number): Promise<number> {
  const tables = await Promise.all(
    ["/proc/net/tcp", "/proc/net/tcp6"].map((path) => readSmallFile(path)),
  );
  return tables.reduce((sum, table) => sum + sessionsToPort(table ?? "", port), 0);
}

/** The pool writes a row's new state there at once (pgpool docs, logdir); the name is the product's. */
async function statusSignature(conf: KnownConf | null): Promise<string> {
  const folder = conf?.settings.logDir ?? null;
  if (folder === null) return "";
  const file =
    (await fileSignature(`${folder}/pgpool_status`)) ??
    (await fileSignature(`${folder}/kingbasecluster_status`));
  return `${file?.inode}:${file?.size}:${file?.modifiedNs}`;
}
