import { createHash } from "node:crypto";
import type { ClusterDeclaration, NodeDeclaration, ProductId } from "#shared/domain/cluster.ts";
import { commandKinds } from "#shared/domain/commands.ts";
import type { FileFacts, FileFormat, NodeFacts } from "#shared/domain/facts.ts";
import { slotNameFor } from "#shared/domain/names.ts";
import { productOf } from "#shared/products/product.ts";
import { version } from "#shared/version.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import type { AddNodeRequest } from "#coordinator/api/contract.ts";
import type { AgentView, LoadedCluster } from "#coordinator/ports.ts";
import {
  resolveSituation,
  withProbes,
} from "#coordinator/operations/add-node/resolve-situation.ts";
import {
  defaultAddNodeLimits,
  type Probes,
  type Situation,
} from "#coordinator/operations/add-node/situation.ts";
import { newcomerLogins } from "#coordinator/operations/add-node/plan/access-steps.ts";
import { someArchiver, someSlot } from "#test/unit/database-facts.ts";
import { haModuleText, hbaText, poolText, serverConfText } from "./file-texts.ts";

/** The ordinary case: two nodes that are well, a third host that waits. A test changes only what differs. */
export type World = {
  readonly declaration: ClusterDeclaration;
  readonly facts: Map<string, NodeFacts>;
  readonly agents: Map<string, AgentView>;
  readonly request: AddNodeRequest;
  otherClusters: ClusterDeclaration[];
  /** Changes what the hosts answer. */
  probe: (probes: Probes) => Probes;
};

export type WorldOptions = {
  readonly product?: ProductId;
  readonly pool?: boolean;
  readonly loopback?: boolean;
  readonly debian?: boolean;
  readonly synchronous?: string;
  readonly vendorInCharge?: boolean;
};

const systemIdentifier = "7311111111111111111";

export function createWorld(options: WorldOptions = {}): World {
  const product = options.product ?? "postgresql";
  const prefix = options.loopback === true ? "127.0.4" : "192.168.4";
  const nodes = ["127", "129"].map((number, index) =>
    declareNode(options, `srv${number}`, `${prefix}.${number}`, index),
  );
  const hasPool = options.pool === true;
  const { defaults } = productOf(product);
  const declaration: ClusterDeclaration = {
    name: "ESHA",
    product,
    pool: hasPool ? defaults.pool : "none",
    database: {
      name: defaults.database,
      replicationUser: product === "postgresql" ? "replicator" : "SYSTEM",
      maintenanceUser: defaults.maintenanceUser,
    },
    virtualAddresses:
      hasPool && options.loopback !== true
        ? { database: "192.168.4.200/24", pool: "192.168.4.201" }
        : { database: null, pool: null },
    trustAddresses: ["192.168.4.1", "192.168.4.2"],
    nodes,
  };
  const facts = new Map<string, NodeFacts>();
  for (const node of nodes) facts.set(node.name, existingFacts(options, declaration, node));
  const newcomer = declareNode(options, "srv159", `${prefix}.159`, null);
  facts.set("srv159", newcomerFacts(options, declaration, { ...newcomer, pool: null }));
  const agents = new Map(
    [...facts].map(([node, own]): [string, AgentView] => [node, agentOf(node, own)]),
  );
  return {
    declaration,
    facts,
    agents,
    request: {
      node: "srv159",
      address: newcomer.address,
      port: null,
      dataDirectory: null,
      nic: null,
      like: null,
      source: null,
      maxRateBytesPerSecond: null,
      verify: "counts",
      onFailure: "pause",
      dryRun: false,
      plan: null,
      acceptNotPromotable: false,
      requestedBy: "dba@console",
    },
    otherClusters: [],
    probe: (probes) => probes,
  };
}

/** Replaces parts of one node's facts. */
export function change(world: World, node: string, edit: (facts: NodeFacts) => NodeFacts): void {
  const before = world.facts.get(node);
  if (before === undefined) throw new Error(`no facts of ${node}`);
  const after = edit(before);
  world.facts.set(node, after);
  const agent = world.agents.get(node);
  if (agent !== undefined) world.agents.set(node, { ...agent, facts: after });
}

export function changeDatabase(
  world: World,
  node: string,
  part: Partial<NodeFacts["database"]>,
): void {
  change(world, node, (facts) => ({ ...facts, database: { ...facts.database, ...part } }));
}

export function changeSettings(world: World, node: string, part: Record<string, string>): void {
  change(world, node, (facts) => ({
    ...facts,
    database: { ...facts.database, settings: { ...facts.database.settings, ...part } },
  }));
}

/** Changes the text of the file that ends in `name`. */
export function changeFile(
  world: World,
  node: string,
  name: string,
  edit: (text: string) => string,
): void {
  change(world, node, (facts) => ({
    ...facts,
    files: facts.files.map((file) => (file.path.endsWith(name) ? edited(file, edit) : file)),
  }));
}

function edited(file: FileFacts, edit: (text: string) => string): FileFacts {
  const maskedText = edit(file.maskedText ?? "");
  const hash = createHash("sha256").update(maskedText).digest("hex");
  return { ...file, state: "present", hash, maskedText };
}

export function changePool(
  world: World,
  node: string,
  part: Partial<NonNullable<NodeFacts["pool"]>>,
): void {
  change(world, node, (facts) =>
    facts.pool === null ? facts : { ...facts, pool: { ...facts.pool, ...part } },
  );
}

export function situationOf(world: World, request: Partial<AddNodeRequest> = {}): Situation {
  const cluster: LoadedCluster = {
    file: "/var/lib/castellan/clusters/ESHA.yaml",
    yaml: printClusterYaml(world.declaration),
    hash: "0".repeat(64),
    declaration: world.declaration,
  };
  const situation = resolveSituation({
    request: { ...world.request, ...request },
    cluster,
    otherClusters: world.otherClusters,
    agentOf: (node) => world.agents.get(node) ?? null,
    coordinatorVersion: version,
    limits: defaultAddNodeLimits,
  });
  return withProbes(situation, world.probe(goodProbes(situation)));
}

/** Every host answers as a DBA hopes. */
export function goodProbes(situation: Situation): Probes {
  const { paths, address } = situation.newcomer.declared;
  const answered = <T>(answer: T) => ({ answer, problem: null });
  const directory = (path: string) => ({
    path,
    exists: false,
    writable: true,
    freeBytes: 500 * 1024 ** 3,
    freeInodes: 10_000_000,
    type: "ext4",
  });
  const vendor = situation.product.vendor !== null;
  return {
    target: answered({
      dataDirectory: {
        state: "absent" as const,
        mode: null,
        owner: null,
        isMountPoint: false,
        entries: [],
        parentWritable: true,
      },
      stagingState: "absent" as const,
      portInUse: false,
      addressIsLocal: true,
      nicPrefix: 24,
      directories: [
        paths.dataDirectory,
        situation.stagingDirectory,
        ...situation.tablespaces.map(({ to }) => to),
      ].map(directory),
      missingLibraries: [],
      missingExtensions: [],
      missingPrograms: [],
      locales: ["C", "C.utf8", "en_US.utf8"],
      licenceFile: vendor ? ("present" as const) : ("not-needed" as const),
      trustReachable: situation.declaration.trustAddresses.map((trust) => ({
        address: trust,
        reachable: true,
      })),
      kernel: {},
      clockMs: 0,
    }),
    logins: answered({
      results: newcomerLogins(situation).map((login) => ({
        login,
        ok: false,
        sqlState: "28000",
        message: `no pg_hba.conf entry for host "${address}"`,
        serverVersion: null,
        latencyMs: 1.5,
      })),
    }),
    reachFromNewcomer: answered({
      tcp: situation.managers.flatMap(({ declared }) => [
        { host: declared.address, port: declared.pool?.port ?? 0, answer: "open" as const },
        { host: declared.address, port: declared.pool?.pcpPort ?? 0, answer: "open" as const },
      ]),
      ssh: [],
    }),
    reachToNewcomer: new Map(
      situation.existing.map(({ declared }) => [
        declared.name,
        answered({
          tcp: [
            { host: address, port: situation.newcomer.declared.port, answer: "refused" as const },
          ],
          ssh:
            vendor && declared.pool !== null
              ? ["kingbase", "root"].map((user) => ({ host: address, user, ok: true, message: "" }))
              : [],
        }),
      ]),
    ),
    throughput: answered({ bytesPerSecond: 100 * 1024 ** 2 }),
    throughputFrom: "srv129",
    walRate: answered({ bytesPerSecond: 1024 ** 2 }),
  };
}

function declareNode(
  options: WorldOptions,
  name: string,
  address: string,
  backend: number | null,
): NodeDeclaration {
  const product = productOf(options.product ?? "postgresql");
  const root = product.vendor === null ? null : "/home/kingbase/cluster/ESHA";
  const base = product.layout({ root, versionNumber: product.vendor === null ? 150_000 : null });
  const own = options.loopback === true ? movedTo(base, `/srv/lab/${name}`) : base;
  const etc = "/etc/postgresql/15/main";
  return {
    name,
    address,
    port: product.defaults.port,
    slot: slotNameFor(name),
    nic: options.pool === true && options.loopback !== true ? "ens33" : null,
    paths:
      options.debian === true
        ? {
            ...own,
            configFile: `${etc}/postgresql.conf`,
            hbaFile: `${etc}/pg_hba.conf`,
            identFile: `${etc}/pg_ident.conf`,
          }
        : own,
    backendId: options.pool === true ? backend : null,
    pool: options.pool === true && backend !== null ? product.poolLayout(own.root) : null,
  };
}

function movedTo(paths: NodeDeclaration["paths"], base: string): NodeDeclaration["paths"] {
  return {
    root: paths.root === null ? null : base + paths.root,
    binDirectory: paths.binDirectory,
    dataDirectory: base + paths.dataDirectory,
    configFile: base + paths.configFile,
    hbaFile: base + paths.hbaFile,
    identFile: base + paths.identFile,
  };
}

function agentOf(node: string, facts: NodeFacts): AgentView {
  return {
    node,
    connected: true,
    agentVersion: version,
    clockOffsetMs: 12,
    lastSeenAt: 0,
    facts,
    factsAreCurrent: true,
  };
}

function baseFacts(
  options: WorldOptions,
  declaration: ClusterDeclaration,
  node: NodeDeclaration,
): NodeFacts {
  const product = productOf(declaration.product);
  const vendor = product.vendor !== null;
  return {
    agent: {
      version,
      startedAt: 0,
      product: declaration.product,
      verbs: [...commandKinds],
      poolKind: node.pool === null ? "none" : declaration.pool,
      root: node.paths.root,
      binDirectory: node.paths.binDirectory,
      dataDirectory: node.paths.dataDirectory,
      databasePort: node.port,
      startMode: "ctl",
      ownSlots: [],
      droppedSlots: [],
    },
    host: {
      hostname: node.name,
      bootId: node.name,
      clockMs: 0,
      kernel: "6.1.0",
      architecture: "x64",
      glibc: "2.36",
      user: { name: product.defaults.osUser, uid: 1000, gid: 1000 },
      addresses: [
        { nic: "lo", address: "127.0.0.1", prefix: 8, family: "ipv4" },
        ...(options.loopback === true
          ? []
          : [{ nic: "ens33", address: node.address, prefix: 24, family: "ipv4" as const }]),
      ],
      memoryBytes: 16 * 1024 ** 3,
      limits: { openFiles: 1_048_576, processes: 127_000 },
      filesystems: [
        {
          directory: node.paths.dataDirectory,
          measuredAt: node.paths.dataDirectory,
          device: 1,
          freeBytes: 200 * 1024 ** 3,
          totalBytes: 400 * 1024 ** 3,
          freeInodes: 10_000_000,
          type: "ext4",
        },
      ],
      rootHelperVerbs: ["verbs", "door", "door-sweep", "pool-reload"],
      secrets:
        vendor || node.pool !== null
          ? ["database", "replication", "pcp"]
          : ["database", "replication"],
    },
    database: {
      status: "absent",
      problem: null,
      postmasterPid: null,
      hasStandbyMarker: false,
      hasIncompleteMarker: false,
      role: null,
      systemIdentifier: null,
      timeline: null,
      versionText: null,
      versionNumber: null,
      clientVersionNumber: vendor ? 100_023 : 150_018,
      binaryVersionText: vendor
        ? "kingbase (KingbaseES) V008R003C002B0290"
        : "postgres (PostgreSQL) 15.18 (Debian 15.18-1)",
      settings: {},
      pendingRestart: [],
      dataDirectory: null,
      configFile: null,
      hbaFile: null,
      identFile: null,
      position: null,
      receivedPosition: null,
      replication: [],
      slots: [],
      receiver: null,
      upstreamProblem: null,
      databases: [],
      tablespaces: [],
      extensions: [],
      clientSessions: 0,
      archiver: null,
    },
    pool: null,
    files: product
      .watchedFiles(node.paths, node.pool)
      .map(({ path, format }) => file(path, format, null)),
    guard: { mode: "observe", walDisk: null, findings: [], checks: [] },
  };
}

function newcomerFacts(
  options: WorldOptions,
  declaration: ClusterDeclaration,
  node: NodeDeclaration,
): NodeFacts {
  return baseFacts(options, declaration, node);
}

function existingFacts(
  options: WorldOptions,
  declaration: ClusterDeclaration,
  node: NodeDeclaration,
): NodeFacts {
  const base = baseFacts(options, declaration, node);
  const isPrimary = node === declaration.nodes[0];
  const vendor = base.agent.product === "kingbase-v8r3";
  const [primary, standby] = declaration.nodes;
  const client = options.loopback === true ? "127.0.0.1" : (standby?.address ?? null);
  return {
    ...base,
    database: {
      ...base.database,
      status: "running",
      postmasterPid: 100,
      hasStandbyMarker: !isPrimary,
      role: isPrimary ? "primary" : "standby",
      systemIdentifier,
      timeline: 1,
      versionText: vendor
        ? "Kingbase V008R003C002B0290 on x86_64-pc-linux-gnu, compiled by gcc"
        : "PostgreSQL 15.18 (Debian 15.18-1) on x86_64-pc-linux-gnu",
      versionNumber: vendor ? 100_023 : 150_018,
      settings: {
        port: String(node.port),
        listen_addresses: node.address,
        max_wal_senders: "10",
        max_replication_slots: "10",
        max_connections: "100",
        max_worker_processes: "8",
        max_prepared_transactions: "0",
        max_locks_per_transaction: "64",
        wal_level: "replica",
        hot_standby: "on",
        wal_log_hints: "on",
        full_page_writes: "on",
        checkpoint_timeout: "300",
        shared_buffers: "16384",
        block_size: "8192",
        synchronous_standby_names: options.synchronous ?? "",
        ...(isPrimary ? {} : { recovery_target_timeline: "latest" }),
      },
      dataDirectory: node.paths.dataDirectory,
      configFile: node.paths.configFile,
      hbaFile: node.paths.hbaFile,
      identFile: node.paths.identFile,
      position: "0/5000148",
      replication: isPrimary
        ? [
            {
              applicationName: "srv129",
              clientAddress: client,
              state: "streaming",
              syncState: "async",
              sentLsn: "0/5000148",
              writeLsn: "0/5000148",
              flushLsn: "0/5000148",
              replayLsn: "0/5000148",
            },
          ]
        : [],
      slots: [
        isPrimary ? slot("slot_srv129", true, "0/5000148") : slot("slot_srv127", false, null),
      ],
      receiver: isPrimary
        ? null
        : {
            status: "streaming",
            slot: node.slot,
            conninfo: `user=${declaration.database.replicationUser} password=******** host=${primary?.address ?? ""} port=${node.port} application_name=${node.name}`,
            timeline: 1,
          },
      databases: [
        { name: declaration.database.name, bytes: 2 * 1024 ** 3, encoding: "UTF8", collate: "C" },
      ],
      extensions: [{ name: "plpgsql", version: "1.0" }],
      clientSessions: 5,
      archiver: someArchiver(),
    },
    pool:
      node.pool === null
        ? null
        : {
            kind: declaration.pool,
            status: "running",
            problem: null,
            pid: 200,
            version: "4.3.5",
            rows: declaration.nodes.map((row, id) => ({
              id,
              hostname: row.address,
              port: row.port,
              status: "up",
              role: id === 0 ? "primary" : "standby",
              weight: 0.5,
            })),
            isLeader: isPrimary,
            clientSessions: 4,
            settings: { num_init_children: "32", max_pool: "2" },
          },
    files: base.files.map((known) => ({
      ...known,
      ...contentOf(options, declaration, node, known.path, known.format),
    })),
  };
}

function contentOf(
  options: WorldOptions,
  declaration: ClusterDeclaration,
  node: NodeDeclaration,
  path: string,
  format: FileFormat,
): Partial<FileFacts> {
  const text = textOf(options, declaration, node, path, format);
  return text === null
    ? {}
    : { state: "present", hash: "f".repeat(64), owner: "1000:1000", mode: 0o600, maskedText: text };
}

function textOf(
  options: WorldOptions,
  declaration: ClusterDeclaration,
  node: NodeDeclaration,
  path: string,
  format: FileFormat,
): string | null {
  switch (format) {
    case "server-conf":
      return serverConfText(declaration, node, options.synchronous ?? null);
    case "auto-conf":
      return "# Do not edit this file manually!\n";
    case "hba":
      return hbaText(declaration, options.loopback === true);
    case "ident":
      return "# MAPNAME SYSTEM-USERNAME PG-USERNAME\n";
    case "ha-module":
      return haModuleText(declaration, node, options.synchronous !== undefined);
    case "pool-conf":
      return poolText(declaration);
    case "recovery-conf":
      return path.endsWith("/recovery.conf") && node !== declaration.nodes[0]
        ? `standby_mode = 'on'\nprimary_conninfo = 'port=${node.port} host=${declaration.nodes[0]?.address ?? ""} user=SYSTEM password=[secret] application_name=${node.name}'\nrecovery_target_timeline = 'latest'\nprimary_slot_name ='${node.slot}'\n`
        : null;
    case "cron":
      return `${options.vendorInCharge === true ? "" : "#"}*/1 * * * * kingbase  ${node.paths.binDirectory}/network_rewind.sh\n`;
    case "pool-hba":
    case "pool-passwd":
    case "pcp-conf":
    case "pass":
    case "signal":
      return null;
  }
}

function file(path: string, format: FileFormat, maskedText: string | null): FileFacts {
  return {
    path,
    format,
    state: "absent",
    hash: null,
    owner: null,
    mode: null,
    modifiedAt: null,
    maskedText,
  };
}

export function slot(name: string, active: boolean, restartLsn: string | null) {
  return someSlot(name, { active, restartLsn, retainedBytes: restartLsn === null ? null : 0 });
}
