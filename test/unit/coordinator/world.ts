import { createHash } from "node:crypto";
import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import type { FileFacts, NodeFacts } from "#shared/domain/facts.ts";
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
import { declareNode, type WorldOptions } from "./declared-node.ts";
import { goodProbes } from "./good-probes.ts";
import { baseFacts, existingFacts } from "./node-facts.ts";

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
  facts.set("srv159", baseFacts(options, declaration, { ...newcomer, pool: null }));
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

type SpareRow = { readonly id: number; readonly hostname: string };

/** A row for the node that is to come, which the pool runs with though nothing answers there yet. */
export function loadRow(world: World, node: string, { id, hostname }: SpareRow): void {
  const rows = world.facts.get(node)?.pool?.rows ?? [];
  const row = { id, hostname, port: 5432, status: "down", role: "standby", weight: 0 };
  changePool(world, node, { rows: [...rows, row] });
}

/** The same row in the pool's file. */
export function writeRow(world: World, node: string, { id, hostname }: SpareRow): void {
  const lines = `backend_hostname${id} = '${hostname}'\nbackend_port${id} = 5432\n`;
  changeFile(world, node, "pgpool.conf", (text) => text + lines);
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

function agentOf(node: string, facts: NodeFacts): AgentView {
  return {
    node,
    connected: true,
    agentVersion: version,
    clockOffsetMs: 12,
    lastSeenAt: 0,
    silentMs: null,
    facts,
    factsAt: 0,
    factsAreCurrent: true,
  };
}
