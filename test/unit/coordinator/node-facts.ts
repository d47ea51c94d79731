import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import { commandKinds } from "#shared/domain/commands.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { productOf } from "#shared/products/product.ts";
import { version } from "#shared/version.ts";
import { noDatabase, someArchiver, someSlot } from "#test/unit/database-facts.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import type { WorldOptions } from "./declared-node.ts";
import { absentFile, contentOf } from "./file-facts.ts";

const systemIdentifier = "7311111111111111111";

/** A host with the software and an agent, and nothing else yet. */
export function baseFacts(
  options: WorldOptions,
  declaration: ClusterDeclaration,
  node: NodeDeclaration,
): NodeFacts {
  const product = productOf(declaration.product);
  const vendor = product.vendor !== null;
  const some = someFacts();
  return {
    ...some,
    agent: {
      ...some.agent,
      version,
      product: declaration.product,
      verbs: [...commandKinds],
      poolKind: node.pool === null ? "none" : declaration.pool,
      root: node.paths.root,
      binDirectory: node.paths.binDirectory,
      dataDirectory: node.paths.dataDirectory,
      databasePort: node.port,
    },
    host: {
      ...some.host,
      hostname: node.name,
      bootId: node.name,
      clockMs: 0,
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
      ...noDatabase,
      clientVersionNumber: vendor ? 100_023 : 150_018,
      binaryVersionText: vendor
        ? "kingbase (KingbaseES) V008R003C002B0290"
        : "postgres (PostgreSQL) 15.18 (Debian 15.18-1)",
    },
    files: product
      .watchedFiles(node.paths, node.pool, "/home/kingbase")
      .map(({ path, format }) => absentFile(path, format)),
  };
}

export function existingFacts(
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

export function slot(name: string, active: boolean, restartLsn: string | null) {
  return someSlot(name, { active, restartLsn, retainedBytes: restartLsn === null ? null : 0 });
}
