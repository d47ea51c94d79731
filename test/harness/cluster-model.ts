import { createHash, randomBytes } from "node:crypto";
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import { chooseLane, type Lane, type LaneOptions, type NodePaths } from "./postgres.ts";
import type { Login } from "./sql-client.ts";

export type ClusterOptions = LaneOptions & {
  /** "ESHA" when not given. */
  readonly name?: string;
  /** Hosts of existing nodes: the first is the primary, all of them (at most two) run a pool. */
  readonly nodes: readonly string[];
  /** A host that gets the software and nothing else. */
  readonly newNode?: string;
  readonly port?: number;
  /** Added to the servers' configuration ("max_wal_senders": "4"). */
  readonly settings?: Readonly<Record<string, string>>;
  /** Durable writes (benches); off otherwise. */
  readonly fsync?: boolean;
  /** Size of the table `bulk`, about; 0 when not given. */
  readonly sizeMb?: number;
  /** A tablespace `castellan_ts` with a table in it, at this path on every node's host. */
  readonly tablespace?: string;
  /** A pool on each of the existing nodes, with a watchdog and a VIP in namespaces. */
  readonly pool?: boolean;
  /** Added to, or put in place of, the settings of the pools' files. */
  readonly poolSettings?: Readonly<Record<string, string>>;
  /** `synchronous_standby_names` is "1 (every node)", and KingbaseES' SYNC_FLAG 1. */
  readonly synchronous?: boolean;
  /** KingbaseES: vendor cron lines active (the scripts are loggers that do nothing) or commented (the default). */
  readonly cronActive?: boolean;
  /** Clusters of one phrase have the same passwords, so that their files can be compared; fresh ones otherwise. */
  readonly passwordPhrase?: string;
};

type Passwords = {
  readonly superuser: string;
  readonly replication: string;
  readonly app: string;
  readonly pcp: string;
  /** The product's internal superuser (KingbaseES only; the vendor's well-known default). */
  readonly maintenance: string;
};

export type ClusterNode = {
  readonly name: string;
  readonly host: Host;
  readonly address: string;
  readonly port: number;
  readonly paths: NodePaths;
  /** The slot that this node uses, or will use, on its upstream. */
  readonly slot: string;
};

/** What the cluster is made of, before and after it runs. */
export type ClusterModel = {
  readonly lab: Lab;
  readonly name: string;
  readonly lane: Lane;
  readonly options: ClusterOptions;
  readonly port: number;
  readonly passwords: Passwords;
  readonly nodes: readonly ClusterNode[];
  readonly newNode: ClusterNode | null;
};

/** Names, ports, paths and passwords of a cluster: nothing is made yet. */
export function clusterModel(lab: Lab, options: ClusterOptions): ClusterModel {
  const lane = chooseLane(lab, options);
  const name = options.name ?? "ESHA";
  const port = options.port ?? lane.defaultPort;
  const describe = (hostName: string): ClusterNode => {
    const host = lab.host(hostName);
    const paths = lane.paths(host, name);
    return { name: hostName, host, address: host.address, port, paths, slot: `slot_${hostName}` };
  };
  const password = (prefix: string): string =>
    `${prefix}-${randomHex(prefix, options.passwordPhrase)}`;
  const superuser = password("su");
  return {
    lab,
    name,
    lane,
    options,
    port,
    nodes: options.nodes.map(describe),
    newNode: options.newNode === undefined ? null : describe(options.newNode),
    passwords: {
      superuser,
      replication: lane.replicationUser === lane.superuser ? superuser : password("re"),
      app: password("app"),
      pcp: password("pcp"),
      maintenance: "KINGBASEADMIN",
    },
  };
}

function randomHex(what: string, phrase: string | undefined): string {
  if (phrase === undefined) return randomBytes(6).toString("hex");
  return createHash("sha256").update(`${phrase} ${what}`).digest("hex").slice(0, 12);
}

export function superuserLogin(model: ClusterModel, node: ClusterNode, database: string): Login {
  return {
    address: node.address,
    port: model.port,
    user: model.lane.superuser,
    password: model.passwords.superuser,
    database,
  };
}

/** The pool's virtual address: .201 of the hosts' network. */
export function poolVip(model: ClusterModel): string {
  return model.lab.gateway.replace(/\.1$/, ".201");
}
