import { isLoopback, isSameAddress } from "#shared/domain/addresses.ts";
import type { BackendRow } from "#shared/domain/commands.ts";
import type { RemoveRequest } from "../../api/remove-contract.ts";
import type { LoadedCluster } from "../../ports.ts";
import { configuredRows } from "../add-node/registration.ts";
import type { AddNodeLimits, KnownNode } from "../add-node/situation.ts";
import { managersOf } from "../switchover/situation.ts";

/** All that checks and planner look at: plain data, the same input gives the same plan. */
export type RemoveSituation = {
  readonly request: RemoveRequest;
  readonly asked: string;
  readonly cluster: LoadedCluster;
  readonly declaration: LoadedCluster["declaration"];
  readonly nodes: readonly KnownNode[];
  readonly subject: KnownNode | null;
  /** Every other node. */
  readonly others: readonly KnownNode[];
  readonly primaries: readonly KnownNode[];
  readonly limits: AddNodeLimits;
  readonly isOneHost: boolean;
};

export function removeSituation(
  request: RemoveRequest,
  cluster: LoadedCluster,
  nodes: readonly KnownNode[],
  limits: AddNodeLimits,
): RemoveSituation {
  const subject = nodes.find(({ declared }) => declared.name === request.node) ?? null;
  return {
    request,
    asked: request.node,
    cluster,
    declaration: cluster.declaration,
    nodes,
    subject,
    others: nodes.filter((node) => node !== subject),
    primaries: nodes.filter(({ facts }) => facts?.database.role === "primary"),
    limits,
    isOneHost: cluster.declaration.nodes.every(({ address }) => isLoopback(address)),
  };
}

export type KnownRow = {
  readonly row: BackendRow;
  /** A higher number is in use in a file: taken out, this one would leave a gap. */
  readonly isSpare: boolean;
  readonly isUp: boolean;
};

/** What the pools have of the node, in a file or running; null for nothing. */
export function rowOfSubject(situation: RemoveSituation): KnownRow | null {
  const { subject } = situation;
  if (subject === null) return null;
  const { address, backendId, name, paths, port } = subject.declared;
  const managers = managersOf(situation);
  const inFiles = managers.flatMap((manager) => configuredRows(manager) ?? []);
  const running = managers.flatMap(({ facts }) => facts?.pool?.rows ?? []);
  const isOurs = (row: { readonly hostname: string; readonly port: number | null }): boolean =>
    isSameAddress(row.hostname, address) && row.port === port;
  const found = inFiles.find(isOurs) ?? running.find(isOurs);
  if (found === undefined) return null;
  const { hostname, id, weight } = found;
  const row = { id, hostname, port, weight, dataDirectory: paths.dataDirectory, applicationName: name }; // prettier-ignore
  return {
    row,
    isSpare: inFiles.some((other) => other.id > (backendId ?? id)),
    isUp: running.some((other) => isOurs(other) && other.status === "up"),
  };
}
