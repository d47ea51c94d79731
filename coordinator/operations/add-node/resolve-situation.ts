import { stagingDirectoryFor } from "#shared/domain/names.ts";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import { isLoopback } from "#shared/domain/addresses.ts";
import type { GuardFacts } from "#shared/domain/facts.ts";
import { Failure } from "#shared/errors.ts";
import { productOf } from "#shared/products/product.ts";
import type { AddNodeRequest } from "../../api/contract.ts";
import type { AgentView, LoadedCluster } from "../../ports.ts";
import { nextBackendId, registrationOf } from "./registration.ts";
import { relocate, relocationBetween } from "./relocate.ts";
import { resolveNode } from "./resolve-node.ts";
import {
  type AddNodeLimits,
  type KnownNode,
  noProbes,
  type Probes,
  type Situation,
} from "./situation.ts";
import { isVendorInCharge } from "./vendor.ts";

export type SituationInput = {
  readonly request: AddNodeRequest;
  readonly cluster: LoadedCluster;
  readonly otherClusters: readonly ClusterDeclaration[];
  readonly agentOf: (node: string) => AgentView | null;
  readonly coordinatorVersion: string;
  readonly limits: AddNodeLimits;
};

/**
 * Who is who, before anyone is asked anything special.
 * @throws Failure NOT_FOUND when --like or --source names no node of the cluster.
 */
export function resolveSituation(input: SituationInput): Situation {
  const { request, limits, coordinatorVersion, otherClusters } = input;
  const { declaration } = input.cluster;
  const product = productOf(declaration.product);
  const known = (declared: NodeDeclaration): KnownNode => {
    const agent = input.agentOf(declared.name);
    return { declared, agent, facts: agent?.facts ?? null };
  };
  const existing = declaration.nodes
    .filter((node) => node.name !== request.node)
    .map((node) => known(node));
  const primaries = existing.filter((node) => node.facts?.database.role === "primary");
  const primary = primaries.length === 1 ? (primaries[0] ?? null) : null;
  const like = pick(declaration, existing, request.like, "--like") ?? newestStandby(existing);
  const source = pick(declaration, existing, request.source, "--source") ?? primary;
  const managers = existing.filter((node) => node.declared.pool !== null);
  const agent = input.agentOf(request.node);
  const newcomerFacts = agent?.facts ?? null;
  const template = like ?? existing[0];
  if (template === undefined) {
    throw new Failure("NOT_FOUND", `${declaration.name} has no node but ${request.node}.`, {
      hint: "A node is added to a cluster that has at least one other.",
    });
  }
  const draft = resolveNode({
    request,
    like: template.declared,
    newcomer: newcomerFacts,
    backendId: null,
  });
  const backendId = declaration.pool === "none" ? null : nextBackendId(existing, draft);
  const node = { ...draft, backendId };
  const newcomer = { declared: node, agent, facts: newcomerFacts };
  const isOneHost = [...declaration.nodes, node].every(({ address }) => isLoopback(address));
  return {
    request,
    declaration,
    declarationHash: input.cluster.hash,
    declarationFile: input.cluster.file,
    declarationYaml: input.cluster.yaml,
    otherClusters,
    coordinatorVersion,
    limits,
    product,
    existing,
    primaries,
    primary,
    like: template,
    source,
    managers,
    newcomer,
    stagingDirectory: stagingDirectoryOf(node.paths.dataDirectory),
    tablespaces: tablespacesOf(source, newcomer, isOneHost),
    registration:
      backendId === null ? { way: "none" } : registrationOf(managers, template, node, backendId),
    isOneHost,
    vendorInCharge: product.vendor !== null && isVendorInCharge(existing, product.vendor),
    guardInCharge: existing.some(({ facts }) => facts !== null && isInCharge(facts.guard)),
    probes: noProbes,
  };
}

/** Where the data directory is a mount point nothing can be renamed over it: the copy goes straight into it. */
export function withProbes(situation: Situation, probes: Probes): Situation {
  const isMountPoint = probes.target?.answer?.dataDirectory.isMountPoint === true;
  const { dataDirectory } = situation.newcomer.declared.paths;
  return {
    ...situation,
    probes,
    stagingDirectory: isMountPoint ? dataDirectory : situation.stagingDirectory,
  };
}

function isInCharge({ mode, lasting }: GuardFacts): boolean {
  return (lasting ?? mode) === "enforce";
}

/** A sibling on the same filesystem, so that the rename is one step. */
function stagingDirectoryOf(dataDirectory: string): string {
  return stagingDirectoryFor(dataDirectory);
}

function pick(
  declaration: ClusterDeclaration,
  existing: readonly KnownNode[],
  name: string | null,
  option: string,
): KnownNode | null {
  if (name === null) return null;
  const found = existing.find((node) => node.declared.name === name);
  if (found !== undefined) return found;
  throw new Failure("NOT_FOUND", `${option} ${name}: ${declaration.name} has no such node.`, {
    hint: `Its nodes are ${existing.map((node) => node.declared.name).join(", ")}.`,
  });
}

/** The one that was declared last: what is not given follows the way the site builds hosts now. */
function newestStandby(existing: readonly KnownNode[]): KnownNode | null {
  const standbys = existing.filter((node) => node.facts?.database.role !== "primary");
  return standbys.at(-1) ?? existing.at(-1) ?? null;
}

/**
 * The same places on the new host, moved as its folders are. On one host they would be taken: there they go beside the
 * new data directory.
 */
function tablespacesOf(
  source: KnownNode | null,
  newcomer: KnownNode,
  isOneHost: boolean,
): Situation["tablespaces"] {
  if (source === null) return [];
  const { paths } = newcomer.declared;
  const relocation = relocationBetween(source.declared.paths, paths);
  const tablespaces = source.facts?.database.tablespaces ?? [];
  return tablespaces.map(({ location, name }) => {
    const to = relocate(location, relocation);
    const taken = isOneHost && to === location;
    return { from: location, to: taken ? `${paths.dataDirectory}.tablespaces/${name}` : to };
  });
}
