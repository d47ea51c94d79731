import type { CommandResult } from "#shared/domain/commands.ts";
import type { AddNodeRequest } from "#coordinator/api/contract.ts";
import type { CheckResult } from "#coordinator/operations/plan.ts";
import type { Asked, Probes } from "#coordinator/operations/add-node/situation.ts";
import { someArchiver } from "#test/unit/database-facts.ts";
import {
  change,
  changeDatabase,
  changeFile,
  changePool,
  changeSettings,
  slot,
  type World,
  type WorldOptions,
} from "../facts-builder.ts";

/** One way in which a check finds something. */
export type Case = {
  readonly check: string;
  readonly when: string;
  readonly status: CheckResult["status"];
  readonly options?: WorldOptions;
  readonly request?: Partial<AddNodeRequest>;
  readonly edit: (world: World) => void;
  /** Must stand in what was found or in the fix. */
  readonly says?: RegExp;
};

const pool: WorldOptions = { pool: true };
const kingbase: WorldOptions = { product: "kingbase-v8r3", pool: true };
const newcomer = "srv159";

type Target = CommandResult<"probe-target">;

function target(edit: (answer: Target) => Target): (world: World) => void {
  return (world) => {
    probes(world, (p) => ({ ...p, target: withAnswer(p.target, edit) }));
  };
}

function probes(world: World, edit: (probes: Probes) => Probes): void {
  const before = world.probe;
  world.probe = (found) => edit(before(found));
}

function withAnswer<T>(asked: Asked<T> | null, edit: (answer: T) => T): Asked<T> | null {
  return asked === null || asked.answer === null
    ? asked
    : { answer: edit(asked.answer), problem: null };
}

function logins(
  sqlState: string | null,
  message: string,
  replication: boolean,
): (world: World) => void {
  return (world) => {
    probes(world, (p) => ({
      ...p,
      logins: withAnswer(p.logins, ({ results }) => ({
        results: results.map((row) =>
          row.login.replication === replication ? { ...row, sqlState, message } : row,
        ),
      })),
    }));
  };
}

function reachTo(
  edit: (answer: CommandResult<"probe-reach">) => CommandResult<"probe-reach">,
): (world: World) => void {
  return (world) => {
    probes(world, (p) => ({
      ...p,
      reachToNewcomer: new Map(
        [...p.reachToNewcomer].flatMap(([node, asked]) => {
          const edited = withAnswer(asked, edit);
          return edited === null ? [] : [[node, edited] as const];
        }),
      ),
    }));
  };
}

function host(node: string, part: object): (world: World) => void {
  return (world) => {
    change(world, node, (facts) => ({ ...facts, host: { ...facts.host, ...part } }));
  };
}

function agent(node: string, part: object): (world: World) => void {
  return (world) => {
    change(world, node, (facts) => ({ ...facts, agent: { ...facts.agent, ...part } }));
  };
}

function view(node: string, part: object): (world: World) => void {
  return (world) => {
    const before = world.agents.get(node);
    if (before !== undefined) world.agents.set(node, { ...before, ...part });
  };
}

function directories(part: Partial<Target["directories"][number]>): (world: World) => void {
  return target((answer) => ({
    ...answer,
    directories: answer.directories.map((directory) => ({ ...directory, ...part })),
  }));
}

function dataDirectory(part: Partial<Target["dataDirectory"]>): (world: World) => void {
  return target((answer) => ({ ...answer, dataDirectory: { ...answer.dataDirectory, ...part } }));
}

function haModule(node: string, from: string | RegExp, to: string): (world: World) => void {
  return (world) => {
    changeFile(world, node, "/db/etc/HAmodule.conf", (text) => text.replace(from, to));
  };
}

function poolConf(from: string | RegExp, to: string): (world: World) => void {
  return (world) => {
    changeFile(world, "srv127", "/pgpool.conf", (text) => text.replace(from, to));
  };
}

const sh = "ssh: connect to host 192.168.4.159 port 22: Connection refused";
const noSsh = reachTo((answer) => ({
  ...answer,
  ssh: answer.ssh.map((row) => ({ ...row, ok: false, message: sh })),
}));

export const cases: readonly Case[] = [
  // agents
  {
    check: "agent-connected",
    when: "the new host's agent never joined",
    status: "fail",
    edit: (world) => world.agents.delete(newcomer),
    says: /castellan token create --node srv159/,
  },
  {
    check: "agent-connected",
    when: "an agent is away",
    status: "fail",
    edit: view("srv129", { connected: false }),
    says: /away/,
  },
  {
    check: "agent-version",
    when: "an agent is of another minor version",
    status: "fail",
    edit: view("srv129", { agentVersion: "9.9.0" }),
    says: /9\.9\.0/,
  },
  {
    check: "agent-product",
    when: "an agent manages another product",
    status: "fail",
    edit: agent("srv129", { product: "kingbase-v8r3" }),
  },
  {
    check: "agent-verbs",
    when: "an allow-list lacks a verb",
    status: "fail",
    edit: agent(newcomer, { verbs: ["probe-target"] }),
    says: /base-backup/,
  },
  {
    check: "agent-pool",
    when: "a management node's agent knows no pool",
    status: "fail",
    options: pool,
    edit: agent("srv129", { poolKind: "none" }),
  },
  {
    check: "clock",
    when: "a clock is off by an hour",
    status: "fail",
    edit: view("srv129", { clockOffsetMs: 3_600_000 }),
    says: /3600\.0 s ahead/,
  },
  {
    check: "clock",
    when: "a clock is off by three seconds",
    status: "warn",
    edit: view(newcomer, { clockOffsetMs: -3_000 }),
    says: /behind/,
  },
  {
    check: "questions-answered",
    when: "a host refuses a question",
    status: "fail",
    edit: (world) =>
      probes(world, (p) => ({ ...p, target: { answer: null, problem: "verb not allowed" } })),
    says: /verb not allowed/,
  },
  // names
  {
    check: "node-name-free",
    when: "the name is taken in the cluster, in another case",
    status: "fail",
    request: { node: "SRV129" },
    edit: view("srv129", {}),
  },
  {
    check: "node-name-free",
    when: "another cluster has a node of that name",
    status: "fail",
    edit: (world) => {
      const [first] = world.declaration.nodes;
      if (first === undefined) return;
      const node = { ...first, name: newcomer, address: "10.0.0.9" };
      world.otherClusters = [{ ...world.declaration, name: "OTHER", nodes: [node] }];
    },
    says: /OTHER/,
  },
  {
    check: "application-name-free",
    when: "something streams under that name already",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        replication: (world.facts.get("srv127")?.database.replication ?? []).flatMap((row) => [
          row,
          { ...row, applicationName: newcomer, clientAddress: "192.168.4.77" },
        ]),
      }),
    says: /192\.168\.4\.77/,
  },
  {
    check: "address-numeric",
    when: "a host name is given",
    status: "fail",
    request: { address: "srv159.example.com" },
    edit: () => undefined,
  },
  {
    check: "address-free",
    when: "the address is an existing node's",
    status: "fail",
    request: { address: "192.168.4.129" },
    edit: () => undefined,
    says: /srv129 of ESHA/,
  },
  {
    check: "address-free",
    when: "an existing host has it on an interface",
    status: "fail",
    request: { address: "192.168.5.127" },
    edit: (world) =>
      change(world, "srv127", (facts) => ({
        ...facts,
        host: {
          ...facts.host,
          addresses: [
            ...facts.host.addresses,
            { nic: "ens34", address: "192.168.5.127", prefix: 24, family: "ipv4" },
          ],
        },
      })),
    says: /srv127/,
  },
  {
    check: "address-not-virtual",
    when: "the address is the database's virtual one",
    status: "fail",
    options: pool,
    request: { address: "192.168.4.200" },
    edit: () => undefined,
  },
  {
    check: "address-there",
    when: "the new host doesn't have the address",
    status: "fail",
    edit: target((answer) => ({ ...answer, addressIsLocal: false })),
  },
  {
    check: "slot-name",
    when: "the node's name makes too long a slot name",
    status: "fail",
    request: { node: `n${"a".repeat(62)}` },
    edit: () => undefined,
  },
  {
    check: "slot-free",
    when: "the slot is left on a standby",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv129", { slots: [slot("slot_srv159", false, "0/1")] }),
    says: /pg_drop_replication_slot\('slot_srv159'\)/,
  },
  {
    check: "port-like-others",
    when: "the vendor's scripts would need two ports",
    status: "fail",
    options: kingbase,
    request: { port: 54_322 },
    edit: agent(newcomer, { databasePort: 54_322 }),
  },
  {
    check: "agent-address",
    when: "agent.yaml names another port",
    status: "fail",
    request: { port: 5_433 },
    edit: () => undefined,
    says: /agent\.yaml/,
  },
  {
    check: "cluster-name",
    when: "the cluster is named cluster",
    status: "warn",
    options: kingbase,
    edit: (world) => Object.assign(world.declaration, { name: "cluster" }),
  },
  // topology
  {
    check: "database-running",
    when: "a database gives the agent no session",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv129", {
        status: "unreachable",
        problem: 'password authentication failed for user "postgres" (28P01)',
      }),
    says: /castellan-agent secret set database/,
  },
  {
    check: "one-primary",
    when: "two nodes are primaries",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv129", { role: "primary" }),
    says: /srv127, srv129/,
  },
  {
    check: "one-primary",
    when: "no node is primary",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv127", { role: "standby" }),
  },
  {
    check: "system-identifier",
    when: "a node belongs to another cluster",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv129", { systemIdentifier: "999" }),
  },
  {
    check: "timeline",
    when: "a standby missed a promotion",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv127", { timeline: 2 }),
  },
  {
    check: "standby-streaming",
    when: "a standby does not stream",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv127", { replication: [] }),
  },
  {
    check: "standby-streaming",
    when: "a standby streams under another name",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        replication: (world.facts.get("srv127")?.database.replication ?? []).map((row) => ({
          ...row,
          applicationName: "walreceiver",
        })),
      }),
    says: /application_name=srv129/,
  },
  {
    check: "standby-lag",
    when: "a standby is 256 MiB behind",
    status: "warn",
    edit: (world) => changeDatabase(world, "srv127", { position: "0/15000148" }),
  },
  {
    check: "standby-slot",
    when: "a standby streams without its slot",
    status: "warn",
    edit: (world) => changeDatabase(world, "srv127", { slots: [slot("slot_srv129", false, null)] }),
  },
  {
    check: "idle-slots",
    when: "a slot holds WAL back for nobody",
    status: "warn",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        slots: [slot("slot_srv129", true, "0/1"), slot("old", false, "0/1")],
      }),
    says: /old/,
  },
  {
    check: "standby-host",
    when: "a standby follows the virtual address",
    status: "warn",
    options: pool,
    edit: (world) =>
      changeDatabase(world, "srv129", {
        receiver: {
          status: "streaming",
          slot: "slot_srv129",
          conninfo: "host=192.168.4.200 port=5432 user=replicator",
          timeline: 1,
        },
      }),
  },
  {
    check: "timeline-latest",
    when: "a standby would not follow a promotion",
    status: "warn",
    edit: (world) => changeSettings(world, "srv129", { recovery_target_timeline: "current" }),
  },
  {
    check: "archiver",
    when: "the archiver fails",
    status: "warn",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        archiver: someArchiver({ failedCount: 7, lastFailedWal: "000000010000000000000003" }),
      }),
  },
  {
    check: "pending-restart",
    when: "a setting waits for a restart",
    status: "warn",
    edit: (world) => changeDatabase(world, "srv127", { pendingRestart: ["max_connections"] }),
  },
  // software
  {
    check: "included-files",
    when: "the source's configuration includes a directory",
    status: "warn",
    edit: (world) =>
      changeFile(world, "srv127", "/postgresql.conf", (text) => `${text}include_dir 'conf.d'\n`),
  },
  {
    check: "same-build",
    when: "two builds run in the cluster",
    status: "warn",
    edit: (world) => changeDatabase(world, "srv129", { versionText: "PostgreSQL 15.3 on x" }),
  },
  {
    check: "server-version",
    when: "the new host has another major version",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, newcomer, { binaryVersionText: "postgres (PostgreSQL) 14.9" }),
  },
  {
    check: "server-version",
    when: "the new host has another vendor build",
    status: "warn",
    options: kingbase,
    edit: (world) =>
      changeDatabase(world, newcomer, {
        binaryVersionText: "kingbase (KingbaseES) V008R003C002B0160",
      }),
  },
  {
    check: "client-version",
    when: "pg_basebackup is older than the server",
    status: "fail",
    edit: (world) => {
      for (const node of ["srv127", "srv129"])
        changeDatabase(world, node, { versionNumber: 180_004 });
    },
    says: /pg_basebackup 15 can't copy from server 18/,
  },
  {
    check: "architecture",
    when: "the new host has another architecture",
    status: "fail",
    edit: host(newcomer, { architecture: "arm64" }),
  },
  {
    check: "glibc",
    when: "sort orders changed between the two C libraries",
    status: "fail",
    edit: (world) => {
      changeDatabase(world, "srv127", {
        databases: [{ name: "app", bytes: 1, encoding: "UTF8", collate: "en_US.UTF-8" }],
      });
      host(newcomer, { glibc: "2.17" })(world);
    },
    says: /REINDEX/,
  },
  {
    check: "locales",
    when: "a database's locale is missing",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        databases: [{ name: "app", bytes: 1, encoding: "UTF8", collate: "zh_CN.UTF-8" }],
      }),
    says: /zh_CN/,
  },
  {
    check: "preload-libraries",
    when: "a library that the server loads is missing",
    status: "fail",
    edit: (world) => {
      changeSettings(world, "srv127", { shared_preload_libraries: "pg_stat_statements" });
      target((answer) => ({ ...answer, missingLibraries: ["pg_stat_statements"] }))(world);
    },
    says: /pg_stat_statements/,
  },
  {
    check: "extensions",
    when: "an installed extension is missing",
    status: "fail",
    edit: target((answer) => ({ ...answer, missingExtensions: ["postgis"] })),
    says: /postgis/,
  },
  {
    check: "programs",
    when: "a program is missing",
    status: "fail",
    edit: target((answer) => ({
      ...answer,
      missingPrograms: ["/usr/lib/postgresql/15/bin/pg_ctl"],
    })),
  },
  {
    check: "licence",
    when: "the licence file is missing",
    status: "fail",
    options: kingbase,
    edit: target((answer) => ({ ...answer, licenceFile: "missing" })),
    says: /license\.dat/,
  },
  {
    check: "os-user",
    when: "the database's user has another name",
    status: "fail",
    edit: host(newcomer, { user: { name: "kingbase", uid: 1000, gid: 1000 } }),
  },
  {
    check: "os-user",
    when: "the database's user has another number",
    status: "warn",
    edit: host(newcomer, { user: { name: "postgres", uid: 2000, gid: 2000 } }),
  },
  // capacity
  {
    check: "wal-senders",
    when: "one WAL sender is free",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { max_wal_senders: "2" }),
    says: /restart/,
  },
  {
    check: "slots-free",
    when: "a standby has no room for a slot",
    status: "fail",
    edit: (world) => changeSettings(world, "srv129", { max_replication_slots: "1" }),
  },
  {
    check: "slots-on-newcomer",
    when: "the copied setting gives too few slots",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { max_replication_slots: "1" }),
  },
  {
    check: "wal-level",
    when: "the primary writes minimal WAL",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { wal_level: "minimal" }),
  },
  {
    check: "hot-standby",
    when: "the new node could not be read from",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { hot_standby: "off" }),
  },
  {
    check: "hot-standby-settings",
    when: "the source has fewer connections than the primary",
    status: "fail",
    request: { source: "srv129" },
    edit: (world) => changeSettings(world, "srv129", { max_connections: "50" }),
    says: /max_connections 50 < 100/,
  },
  {
    check: "full-page-writes",
    when: "a standby can't be copied from",
    status: "fail",
    request: { source: "srv129" },
    edit: (world) => changeSettings(world, "srv127", { full_page_writes: "off" }),
  },
  {
    check: "rewind-possible",
    when: "there are neither hints nor checksums",
    status: "warn",
    edit: (world) => changeSettings(world, "srv127", { wal_log_hints: "off" }),
  },
  {
    check: "slot-size-limit",
    when: "the server gives slots up early",
    status: "warn",
    edit: (world) => changeSettings(world, "srv127", { max_slot_wal_keep_size: "100" }),
  },
  {
    check: "pool-capacity",
    when: "the pool may open more sessions than the node takes",
    status: "warn",
    options: pool,
    edit: (world) =>
      changePool(world, "srv127", { settings: { num_init_children: "64", max_pool: "4" } }),
  },
  // target host
  {
    check: "no-database-yet",
    when: "a database runs on the new host",
    status: "fail",
    edit: (world) => changeDatabase(world, newcomer, { status: "running", role: "standby" }),
  },
  {
    check: "target-directory",
    when: "the data directory is not empty",
    status: "fail",
    edit: dataDirectory({ state: "not-empty", mode: 0o700, entries: ["PG_VERSION", "base"] }),
    says: /PG_VERSION, base/,
  },
  {
    check: "target-directory",
    when: "it is a file",
    status: "fail",
    edit: dataDirectory({ state: "not-a-directory" }),
  },
  {
    check: "target-directory",
    when: "its parent can't be written",
    status: "fail",
    edit: dataDirectory({ parentWritable: false }),
    says: /mkdir -p/,
  },
  {
    check: "target-mode",
    when: "the directory is open to others",
    status: "fail",
    edit: dataDirectory({ state: "empty", mode: 0o755, owner: "postgres" }),
    says: /0755.*chmod 0700/s,
  },
  {
    check: "target-mode",
    when: "the directory is someone else's",
    status: "fail",
    edit: dataDirectory({ state: "empty", mode: 0o700, owner: "root" }),
  },
  {
    check: "staging-directory",
    when: "files of someone else lie where the copy goes",
    status: "fail",
    edit: target((answer) => ({ ...answer, stagingState: "foreign" })),
  },
  {
    check: "staging-directory",
    when: "an earlier copy was not taken back",
    status: "fail",
    edit: target((answer) => ({ ...answer, stagingState: "ours" })),
  },
  {
    check: "port-free",
    when: "something listens at the port",
    status: "fail",
    edit: target((answer) => ({ ...answer, portInUse: true })),
  },
  {
    check: "target-space",
    when: "the disk is full",
    status: "fail",
    edit: directories({ freeBytes: 1024 ** 2 }),
  },
  {
    check: "target-inodes",
    when: "inodes run out",
    status: "fail",
    edit: directories({ freeInodes: 10 }),
  },
  {
    check: "target-filesystem",
    when: "the data would lie in memory",
    status: "warn",
    edit: directories({ type: "tmpfs" }),
    says: /memory/,
  },
  {
    check: "target-filesystem",
    when: "the data would lie on a FAT stick",
    status: "fail",
    edit: directories({ type: "vfat" }),
  },
  {
    check: "target-directories",
    when: "an archive directory can't be made",
    status: "fail",
    edit: target((answer) => ({
      ...answer,
      directories: [
        ...answer.directories,
        {
          path: "/srv/archive",
          exists: false,
          writable: false,
          freeBytes: 1024 ** 4,
          freeInodes: 1_000_000,
          type: "ext4",
        },
      ],
    })),
    says: /\/srv\/archive/,
  },
  {
    check: "memory",
    when: "shared_buffers doesn't fit",
    status: "fail",
    edit: host(newcomer, { memoryBytes: 64 * 1024 ** 2 }),
  },
  {
    check: "limits",
    when: "few files may be open",
    status: "warn",
    edit: host(newcomer, { limits: { openFiles: 1_024, processes: 65_535 } }),
    says: /open files 1024/,
  },
  {
    check: "tablespaces",
    when: "a tablespace lies inside the data directory",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        tablespaces: [{ oid: 1, name: "ts", location: "/var/lib/postgresql/15/main/ts", bytes: 1 }],
      }),
  },
  // network
  {
    check: "reach-newcomer",
    when: "a firewall drops packets to the new host",
    status: "fail",
    edit: reachTo((answer) => ({
      ...answer,
      tcp: answer.tcp.map((row) => ({ ...row, answer: "silent" })),
    })),
    says: /firewall/,
  },
  {
    check: "reach-newcomer",
    when: "all hosts are one",
    status: "warn",
    options: { loopback: true },
    edit: () => undefined,
  },
  {
    check: "reach-databases",
    when: "the new host gets no answer from a database",
    status: "fail",
    edit: (world) => {
      logins(null, "connect ETIMEDOUT", true)(world);
      logins(null, "connect ETIMEDOUT", false)(world);
    },
    says: /ETIMEDOUT/,
  },
  {
    check: "reach-pools",
    when: "the new host can't reach a pool",
    status: "warn",
    options: pool,
    edit: (world) =>
      probes(world, (p) => ({
        ...p,
        reachFromNewcomer: withAnswer(p.reachFromNewcomer, (answer) => ({
          ...answer,
          tcp: answer.tcp.map((row) => ({ ...row, answer: "silent" as const })),
        })),
      })),
  },
  {
    check: "trust-addresses",
    when: "a trust address is silent",
    status: "warn",
    edit: target((answer) => ({
      ...answer,
      trustReachable: answer.trustReachable.map((row, i) => ({ ...row, reachable: i > 0 })),
    })),
  },
  {
    check: "several-trust-addresses",
    when: "one gateway decides about everything",
    status: "warn",
    options: kingbase,
    edit: (world) => Object.assign(world.declaration, { trustAddresses: ["192.168.4.1"] }),
  },
  {
    check: "nic",
    when: "the named interface doesn't carry the address",
    status: "fail",
    options: pool,
    request: { nic: "eth7" },
    edit: () => undefined,
    says: /--nic ens33/,
  },
  {
    check: "netmask",
    when: "the new host has another netmask",
    status: "warn",
    options: pool,
    edit: host(newcomer, {
      addresses: [{ nic: "ens33", address: "192.168.4.159", prefix: 16, family: "ipv4" }],
    }),
  },
  {
    check: "virtual-address-elsewhere",
    when: "the new host holds a virtual address",
    status: "fail",
    options: pool,
    edit: host(newcomer, {
      addresses: [
        { nic: "ens33", address: "192.168.4.159", prefix: 24, family: "ipv4" },
        { nic: "ens33", address: "192.168.4.200", prefix: 24, family: "ipv4" },
      ],
    }),
  },
  {
    check: "bandwidth",
    when: "nobody can measure it",
    status: "warn",
    edit: (world) =>
      probes(world, (p) => ({
        ...p,
        throughput: { answer: null, problem: "no login" },
        throughputFrom: null,
      })),
    says: /no login/,
  },
  // access
  {
    check: "secrets",
    when: "the replication password is missing on the new host",
    status: "fail",
    edit: host(newcomer, { secrets: ["database"] }),
    says: /castellan-agent secret set replication/,
  },
  {
    check: "pcp-secret",
    when: "a pool's host has no pcp password",
    status: "fail",
    options: pool,
    edit: host("srv129", { secrets: ["database"] }),
    says: /castellan-agent secret set pcp/,
  },
  {
    check: "database-secret",
    when: "a pool's host can't read through its pool",
    status: "fail",
    options: pool,
    edit: host("srv129", { secrets: ["pcp"] }),
  },
  {
    check: "replication-login",
    when: "the replication password is wrong",
    status: "fail",
    edit: logins("28P01", "password authentication failed", true),
    says: /castellan-agent secret set replication/,
  },
  {
    check: "database-login",
    when: "the maintenance password is wrong",
    status: "fail",
    edit: logins("28P01", "password authentication failed", false),
    says: /castellan-agent secret set database/,
  },
  {
    check: "hba-readable",
    when: "an hba file has a broken line",
    status: "fail",
    edit: (world) => changeFile(world, "srv129", "/pg_hba.conf", (text) => `${text}hots all all\n`),
    says: /pg_hba\.conf:\d+:1/,
  },
  {
    check: "hba-to-existing",
    when: "an earlier line rejects the new host",
    status: "warn",
    edit: (world) =>
      changeFile(
        world,
        "srv127",
        "/pg_hba.conf",
        (text) => `host all all 192.168.4.159/32 reject\n${text}`,
      ),
    says: /line 1 decides.*reject/,
  },
  {
    check: "hba-to-newcomer",
    when: "the copied file rejects a node",
    status: "warn",
    edit: (world) =>
      changeFile(
        world,
        "srv127",
        "/pg_hba.conf",
        (text) => `host all all 192.168.4.129/32 reject\n${text}`,
      ),
  },
  {
    check: "hba-virtual-addresses",
    when: "a virtual address is no known client",
    status: "warn",
    options: pool,
    edit: () => undefined,
    says: /192\.168\.4\.200/,
  },
  // synchronous
  {
    check: "sync-list-named",
    when: "any standby may be the synchronous one",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "*" }),
    says: /base backup/,
  },
  {
    check: "sync-list-named",
    when: "the list can't be read",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "1 (a" }),
  },
  {
    check: "sync-list-without-newcomer",
    when: "commits would wait for the new node at once",
    status: "warn",
    edit: (world) =>
      changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129, srv159)" }),
  },
  {
    check: "sync-list-files",
    when: "the file has another list than is in force",
    status: "warn",
    options: { synchronous: "1 (srv129)" },
    edit: (world) =>
      changeSettings(world, "srv127", { synchronous_standby_names: "2 (srv129, x)" }),
  },
  // pools
  {
    check: "pool-declared",
    when: "no node is declared to run the pool",
    status: "fail",
    options: pool,
    edit: (world) =>
      Object.assign(world.declaration, {
        nodes: world.declaration.nodes.map((node) => ({ ...node, pool: null })),
      }),
  },
  {
    check: "pool-running",
    when: "a pool does not answer",
    status: "fail",
    options: pool,
    edit: (world) =>
      changePool(world, "srv129", { status: "unreachable", problem: "pcp: connection refused" }),
    says: /connection refused/,
  },
  {
    check: "pool-rows-up",
    when: "a pool has a node down",
    status: "fail",
    options: pool,
    edit: (world) =>
      changePool(world, "srv127", {
        rows: (world.facts.get("srv127")?.pool?.rows ?? []).map((row) =>
          row.id === 1 ? { ...row, status: "down" } : row,
        ),
      }),
    says: /pcp_attach_node -n 1/,
  },
  {
    check: "pool-roles",
    when: "a pool takes a standby for the primary",
    status: "fail",
    options: pool,
    edit: (world) =>
      changePool(world, "srv127", {
        rows: (world.facts.get("srv127")?.pool?.rows ?? []).map((row) => ({
          ...row,
          role: row.id === 1 ? "primary" : "standby",
        })),
      }),
  },
  {
    check: "pool-rows-equal",
    when: "the pools number their rows differently",
    status: "fail",
    options: pool,
    edit: poolConf("backend_hostname1 = '192.168.4.129'", "backend_hostname1 = '192.168.4.130'"),
  },
  {
    check: "pool-rows-declared",
    when: "a row is not the declared node's",
    status: "fail",
    options: pool,
    edit: poolConf("backend_port1 = 5432", "backend_port1 = 5433"),
  },
  {
    check: "backend-free",
    when: "the prepared row has another data directory",
    status: "fail",
    options: pool,
    edit: poolConf(
      /$/,
      "backend_hostname2 = '192.168.4.159'\nbackend_port2 = 5432\nbackend_data_directory2 = '/elsewhere'\n",
    ),
  },
  {
    check: "auto-failback",
    when: "a pool attaches nodes by itself",
    status: "fail",
    options: pool,
    edit: poolConf("auto_failback = off", "auto_failback = on"),
  },
  {
    check: "load-balance",
    when: "a pool sends all reads to the primary",
    status: "fail",
    options: pool,
    edit: poolConf("load_balance_mode = on", "load_balance_mode = off"),
  },
  {
    check: "pool-backend-errors",
    when: "one broken connection is a failover",
    status: "warn",
    options: pool,
    edit: poolConf(/$/, "failover_on_backend_error = on\n"),
  },
  {
    check: "pool-reload",
    when: "a pool is too old to take a row by reload",
    status: "fail",
    options: pool,
    edit: (world) => changePool(world, "srv127", { version: "3.4.1" }),
    says: /castellan pool prepare ESHA srv159/,
  },
  {
    check: "pool-root-helper",
    when: "a pool's host has no root helper",
    status: "warn",
    options: pool,
    edit: host("srv129", { rootHelperVerbs: [] }),
    says: /reconnects once/,
  },
  {
    check: "watchdog",
    when: "two pools lead",
    status: "fail",
    options: pool,
    edit: (world) => changePool(world, "srv129", { isLeader: true }),
  },
  // vendor
  {
    check: "ssh-trust",
    when: "the vendor's checks act and ssh does not work",
    status: "fail",
    options: { ...kingbase, vendorInCharge: true },
    edit: noSsh,
    says: /can't promote srv159.*second primary/s,
  },
  {
    check: "ssh-trust",
    when: "ssh does not work and the operator accepts it",
    status: "warn",
    options: { ...kingbase, vendorInCharge: true },
    request: { acceptNotPromotable: true },
    edit: noSsh,
  },
  {
    check: "ssh-trust",
    when: "only the pool's failover script is the vendor's",
    status: "fail",
    options: kingbase,
    edit: (world) => {
      changeFile(
        world,
        "srv127",
        "/kingbasecluster.conf",
        (text) => `${text}failover_command = '/x/failover_stream.sh %H %P'\n`,
      );
      noSsh(world);
    },
    says: /failover_stream\.sh in charge/,
  },
  {
    check: "vendor-cron-newcomer",
    when: "the vendor's check runs on the new host already",
    status: "fail",
    options: kingbase,
    edit: (world) =>
      changeFile(
        world,
        newcomer,
        "KINGBASECRON",
        () => "*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh\n",
      ),
  },
  {
    check: "vendor-cron-lines",
    when: "a cron line stands twice",
    status: "warn",
    options: kingbase,
    edit: (world) => changeFile(world, "srv127", "KINGBASECRON", (text) => text + text),
  },
  {
    check: "ha-module-readable",
    when: "a node list is quoted",
    status: "fail",
    options: kingbase,
    edit: haModule("srv129", /KB_ALL_IP=\((.*)\)/, 'KB_ALL_IP="$1"'),
  },
  {
    check: "ha-module-readable",
    when: "the last line has no newline",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", /\n$/, ""),
  },
  {
    check: "ha-module-equal",
    when: "a copy lacks a node",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", "(192.168.4.127 192.168.4.129)", "(192.168.4.127)"),
    says: /without 192\.168\.4\.129/,
  },
  {
    check: "ha-module-own",
    when: "a file has another node's name",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", 'NODE_NAME="srv129"', 'NODE_NAME="srv127"'),
  },
  {
    check: "ha-module-own",
    when: "no interface is named",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", 'DEV="ens33"\n', ""),
    says: /DEV/,
  },
  {
    check: "ha-module-login",
    when: "the scripts log in as another role",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", /KB_USER="[^"]*"/, 'KB_USER="SOMEONE"'),
  },
  {
    check: "ha-module-secrets",
    when: "the file has a password of which we know nothing",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", "KB_PORT", 'ES_PASS="[secret]"\nKB_PORT'),
    says: /ES_PASS/,
  },
  {
    check: "ha-module-port",
    when: "KB_PORT is another port",
    status: "fail",
    options: kingbase,
    edit: haModule("srv129", 'KB_PORT="54321"', 'KB_PORT="54322"'),
  },
  {
    check: "sync-flag",
    when: "SYNC_FLAG and the list disagree",
    status: "warn",
    options: kingbase,
    edit: haModule("srv129", "SYNC_FLAG=0", "SYNC_FLAG=1"),
  },
];
