import type { Host } from "./host.ts";
import { encodePassword } from "./kingbase/ha-module.ts";
import type { Lane, NodePaths } from "./postgres.ts";

/** What a server's configuration depends on. */
export type ServerInput = {
  readonly lane: Lane;
  readonly paths: NodePaths;
  readonly listenAddresses: string;
  readonly port: number;
  /** Off for speed; benches turn it on. */
  readonly fsync: boolean;
  /** "" for an asynchronous cluster. */
  readonly synchronousNames: string;
  readonly settings: Readonly<Record<string, string>>;
};

/** The settings that the cluster appends to the file which initdb made: a key stands twice, the last one wins. */
export function serverSettings(input: ServerInput): string {
  const { lane, paths } = input;
  const quote = (value: string): string => `'${value.replaceAll("'", "''")}'`;
  const settings: Record<string, string> = {
    listen_addresses: quote(input.listenAddresses),
    port: quote(String(input.port)),
    unix_socket_directories: quote(paths.socketDir),
    max_connections: "100",
    shared_buffers: "32MB",
    password_encryption: "md5",
    wal_level: "replica",
    max_wal_senders: "10",
    max_replication_slots: "10",
    hot_standby: "on",
    wal_log_hints: "on",
    ...(lane.major < 13 ? { wal_keep_segments: "8" } : { wal_keep_size: "128MB" }),
    ...(input.synchronousNames === ""
      ? {}
      : { synchronous_standby_names: quote(input.synchronousNames) }),
    fsync: input.fsync ? "on" : "off",
    log_line_prefix: quote("%m [%p] %q%u@%d %a "),
    ...(lane.product === "kingbase-v8r3" ? kingbaseSettings(paths) : {}),
    ...input.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const notes = lane.product === "kingbase-v8r3" ? kingbaseNotes(input) : [];
  return `\n# ---- cluster settings ----\n${[...lines, ...notes].join("\n")}\n`;
}

function kingbaseSettings(paths: NodePaths): Record<string, string> {
  return {
    hot_standby_feedback: "on",
    max_prepared_transactions: "100",
    archive_mode: "on",
    archive_command: `'test -d ${paths.root}/archivedir && cp %p ${paths.root}/archivedir/%f'`,
  };
}

/** Settings of the product that PostgreSQL would refuse to start with. */
function kingbaseNotes({ paths, synchronousNames }: ServerInput): string[] {
  return [
    `#archive_dest = '${paths.root}/archivedir/'`,
    `#control_file_copy = '${paths.root}/template.bk'`,
    ...(synchronousNames === "" ? ["#synchronous_standby_names = ''"] : []),
  ];
}

/** hba lines for every node in both kinds of connection; `others` are addresses that only log in (gateway, client hosts). */
export function hbaFile(lane: Lane, nodes: readonly string[], others: readonly string[]): string {
  const template =
    lane.product === "kingbase-v8r3"
      ? [
          "local   all   all   md5",
          "host    all   all   127.0.0.1/32   md5",
          "host    all   all   0.0.0.0/0      md5",
          "host    all   all   ::1/128        md5",
          "host    all   all   ::0/0          md5",
        ]
      : [
          "# TYPE  DATABASE     USER         ADDRESS          METHOD",
          "local   all          all                           md5",
          "host    all          all          127.0.0.1/32     md5",
          ...others.map((address) => `host    all          all          ${address}/32  md5`),
        ];
  const forNode = (address: string): string[] => [
    `host    all          ${lane.product === "kingbase-v8r3" ? lane.superuser : "all"}       ${address}/32  md5`,
    `host    replication  ${lane.replicationUser}   ${address}/32  md5`,
  ];
  return `${[...template, ...[...new Set(nodes)].flatMap(forNode)].join("\n")}\n`;
}

export type UpstreamInput = {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly slot: string;
  /** File from which libpq takes the password (standby.signal era). */
  readonly passfile: string;
};

/** recovery.conf; KingbaseES stores the password in base64 (public vendor script build B0290). */
export function recoveryConf(lane: Lane, up: UpstreamInput): string {
  const secret = lane.product === "kingbase-v8r3" ? encodePassword(up.password) : up.password;
  return [
    "standby_mode = 'on'",
    `primary_conninfo = 'port=${up.port} host=${up.address} user=${up.user} password=${secret} application_name=${up.name}'`,
    "recovery_target_timeline = 'latest'",
    `primary_slot_name ='${up.slot}'`,
    "",
  ].join("\n");
}

/** Makes a stopped copy of the primary a standby of it. */
export async function writeStandbyFiles(
  host: Host,
  lane: Lane,
  paths: NodePaths,
  up: UpstreamInput,
): Promise<void> {
  const own = { owner: lane.osUser, mode: 0o600 };
  if (lane.usesRecoveryConf) {
    await host.writeFile(`${paths.dataDir}/recovery.conf`, recoveryConf(lane, up), own);
    return;
  }
  const conninfo = `host=${up.address} port=${up.port} user=${up.user} passfile=${up.passfile} application_name=${up.name}`;
  await host.writeFile(`${paths.dataDir}/standby.signal`, "", own);
  await host.writeFile(
    `${paths.dataDir}/postgresql.auto.conf`,
    [
      "# Do not edit this file manually!",
      "# It will be overwritten by the ALTER SYSTEM command.",
      `primary_conninfo = '${conninfo}'`,
      `primary_slot_name = '${up.slot}'`,
      "",
    ].join("\n"),
    own,
  );
  await host.writeFile(up.passfile, `*:${up.port}:*:${up.user}:${up.password}\n`, own);
}
