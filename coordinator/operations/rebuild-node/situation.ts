import { isLoopback } from "#shared/domain/addresses.ts";
import { stagingDirectoryFor } from "#shared/domain/names.ts";
import { productOf } from "#shared/products/product.ts";
import { version } from "#shared/version.ts";
import type { RebuildRequest } from "../../api/rejoin-contract.ts";
import type { LoadedCluster } from "../../ports.ts";
import { noProbes, type AddNodeLimits, type KnownNode, type Probes, type Situation } from "../add-node/situation.ts"; // prettier-ignore

/** All that checks and planner look at: plain data, the same input gives the same plan. */
export type RebuildSituation = {
  /** The name that was asked for, and the node of that name. */
  readonly asked: string;
  readonly subject: KnownNode | null;
  readonly nodes: readonly KnownNode[];
  /** Those whose database says that it is a primary; one in a healthy cluster. */
  readonly primaries: readonly KnownNode[];
  readonly declaration: LoadedCluster["declaration"];
  /** What was accepted of the node's files; null: that there is none. */
  readonly accepted: readonly { readonly path: string; readonly hash: string | null }[];
  /** The copy as that of a node which is added; null where the name is no node's. */
  readonly copy: Situation | null;
};

export function rebuildSituation(
  request: RebuildRequest,
  cluster: LoadedCluster,
  nodes: readonly KnownNode[],
  limits: AddNodeLimits,
  accepted: RebuildSituation["accepted"],
): RebuildSituation {
  const { declaration } = cluster;
  const asked = request.node;
  const subject = nodes.find(({ declared }) => declared.name === asked) ?? null;
  const primaries = nodes.filter(({ facts }) => facts?.database.role === "primary");
  const copy = subject === null ? null : copyOf(subject, request, cluster, nodes, limits);
  return { asked, subject, nodes, primaries, declaration, accepted, copy };
}

export function withProbes(situation: RebuildSituation, probes: Probes): RebuildSituation {
  const { copy } = situation;
  return { ...situation, copy: copy === null ? null : { ...copy, probes } };
}

function copyOf(
  subject: KnownNode,
  request: RebuildRequest,
  cluster: LoadedCluster,
  nodes: readonly KnownNode[],
  limits: AddNodeLimits,
): Situation {
  const { declaration } = cluster;
  const existing = nodes.filter((node) => node !== subject);
  const primaries = existing.filter(({ facts }) => facts?.database.role === "primary");
  const primary = primaries.length === 1 ? (primaries[0] ?? null) : null;
  const { declared } = subject;
  return {
    request: {
      ...request,
      address: declared.address,
      port: null,
      dataDirectory: null,
      nic: null,
      like: null,
      source: null,
      maxRateBytesPerSecond: null,
      walBudgetBytes: null,
      verify: "counts",
      onFailure: "pause",
      acceptNotPromotable: false,
    },
    declaration,
    declarationHash: cluster.hash,
    declarationFile: cluster.file,
    declarationYaml: cluster.yaml,
    otherClusters: [],
    coordinatorVersion: version,
    limits,
    product: productOf(declaration.product),
    existing,
    primaries,
    primary,
    like: primary,
    source: primary,
    managers: nodes.filter((node) => node.declared.pool !== null),
    newcomer: subject,
    stagingDirectory: stagingDirectoryFor(declared.paths.dataDirectory),
    tablespaces: [],
    registration: { way: "none" },
    isOneHost: declaration.nodes.every(({ address }) => isLoopback(address)),
    vendorInCharge: false,
    guardInCharge: false,
    probes: noProbes,
  };
}
