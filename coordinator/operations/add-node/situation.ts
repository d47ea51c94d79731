import { parseServerConf, type ServerConf } from "#shared/config-files/server-conf.ts";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import type { BackendRow, CommandResult } from "#shared/domain/commands.ts";
import type { FileFacts, NodeFacts } from "#shared/domain/facts.ts";
import type { Product } from "#shared/products/product.ts";
import type { AddNodeRequest } from "../../api/contract.ts";
import type { AgentView } from "../../ports.ts";

/** A declared node and what its agent sees; null where no agent answers. */
export type KnownNode = {
  readonly declared: NodeDeclaration;
  readonly agent: AgentView | null;
  readonly facts: NodeFacts | null;
};

/** An answer to a question to one host, or why there is none. */
export type Asked<T> =
  | { readonly answer: T; readonly problem: null }
  | { readonly answer: null; readonly problem: string };

export type Probes = {
  readonly target: Asked<CommandResult<"probe-target">> | null;
  readonly logins: Asked<CommandResult<"probe-logins">> | null;
  /** From the new host to the pools. */
  readonly reachFromNewcomer: Asked<CommandResult<"probe-reach">> | null;
  /** From each existing node to the new host. */
  readonly reachToNewcomer: ReadonlyMap<string, Asked<CommandResult<"probe-reach">>>;
  readonly throughput: Asked<CommandResult<"measure-throughput">> | null;
  /** Who measured it: the new host, or a standby in its place; null when nobody could. */
  readonly throughputFrom: string | null;
  readonly walRate: Asked<CommandResult<"measure-wal-rate">> | null;
};

export const noProbes: Probes = {
  target: null,
  logins: null,
  reachFromNewcomer: null,
  reachToNewcomer: new Map(),
  throughput: null,
  throughputFrom: null,
  walRate: null,
};

/** Limits of the operation: settings.yaml of the coordinator, `addNode`. */
export type AddNodeLimits = {
  readonly walBudgetBytes: number;
  readonly walShare: number;
  readonly stallMs: number;
  readonly lagLimitBytes: number;
  readonly verifyTables: number;
  readonly holdMs: number;
  /** Taken for the forecast when nobody can measure the bandwidth yet. */
  readonly assumedBytesPerSecond: number;
};

export const defaultAddNodeLimits: AddNodeLimits = {
  walBudgetBytes: 64 * 1024 ** 3,
  walShare: 0.5,
  stallMs: 60_000,
  lagLimitBytes: 16 * 1024 ** 2,
  verifyTables: 20,
  holdMs: 1_000,
  assumedBytesPerSecond: 50 * 1024 ** 2,
};

/** Where in the pool's life the new row is: decides how the node is registered. */
export type Registration =
  | { readonly way: "none" }
  /** Every running pool has the row already, e.g. from `pool prepare`. */
  | { readonly way: "attach"; readonly row: BackendRow }
  | { readonly way: "reload-and-attach"; readonly row: BackendRow };

/** All that preflight, forecast and planner look at: plain data, the same input gives the same plan. */
export type Situation = {
  readonly request: AddNodeRequest;
  readonly declaration: ClusterDeclaration;
  readonly declarationHash: string;
  readonly declarationFile: string;
  readonly declarationYaml: string;
  /** Declarations of the other clusters, for names and addresses that are taken there. */
  readonly otherClusters: readonly ClusterDeclaration[];
  readonly coordinatorVersion: string;
  readonly limits: AddNodeLimits;
  readonly product: Product;
  readonly existing: readonly KnownNode[];
  /** Those of `existing` whose database says that it is a primary; one in a healthy cluster. */
  readonly primaries: readonly KnownNode[];
  readonly primary: KnownNode | null;
  readonly like: KnownNode | null;
  /** Node to copy from. */
  readonly source: KnownNode | null;
  readonly managers: readonly KnownNode[];
  readonly newcomer: KnownNode;
  readonly stagingDirectory: string;
  readonly tablespaces: readonly { readonly from: string; readonly to: string }[];
  readonly registration: Registration;
  /** Every address is of 127.0.0.0/8: all hosts are one, and every client appears as 127.0.0.1. */
  readonly isOneHost: boolean;
  /** The vendor's cron checks or failover script act in this cluster. */
  readonly vendorInCharge: boolean;
  /** This cluster was taken over: the new node's guard is to act as those of the others do. */
  readonly guardInCharge: boolean;
  readonly probes: Probes;
};

/** The observed file at this path; null when it isn't watched there or not present. */
export function fileAt(facts: NodeFacts | null, path: string): FileFacts | null {
  const file = facts?.files.find((candidate) => candidate.path === path) ?? null;
  return file?.state === "present" ? file : null;
}

export function textAt(facts: NodeFacts | null, path: string): string | null {
  return fileAt(facts, path)?.maskedText ?? null;
}

/** What the node's server configuration includes: other files, which are neither watched nor generated. */
export function includesOf(node: KnownNode | null): ServerConf["includes"] {
  if (node === null) return [];
  const text = textAt(node.facts, node.declared.paths.configFile);
  return text === null ? [] : parseServerConf(text).includes;
}

export function setting(node: KnownNode | null, name: string): string | null {
  return node?.facts?.database.settings[name] ?? null;
}

export function settingNumber(node: KnownNode | null, name: string): number | null {
  const value = setting(node, name);
  return value !== null && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : null;
}
