import type { NodeDeclaration, NodePaths } from "#shared/domain/cluster.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { slotNameFor } from "#shared/domain/names.ts";
import { relocate, relocationBetween } from "./relocate.ts";

/** What a person said of the new node; null is what they left out. */
export type NodeWish = {
  readonly node: string;
  readonly address: string;
  readonly port: number | null;
  readonly dataDirectory: string | null;
  readonly nic: string | null;
};

/**
 * The new node in full. What the request doesn't give is taken from its own agent's settings where they say it (they
 * were made for that host), else from the node that it is to be like.
 */
export function resolveNode(input: {
  readonly request: NodeWish;
  readonly like: NodeDeclaration;
  readonly newcomer: NodeFacts | null;
  readonly backendId: number | null;
}): NodeDeclaration {
  const { request, like, newcomer } = input;
  return {
    name: request.node,
    address: request.address,
    port: request.port ?? newcomer?.agent.databasePort ?? like.port,
    slot: slotNameFor(request.node),
    nic: request.nic ?? nicOf(newcomer, request.address) ?? like.nic,
    paths: resolvePaths(input),
    backendId: input.backendId,
    // A node that is added is a data node: the pool's own hosts stay the two that they are.
    pool: null,
  };
}

/** Only where the cluster names interfaces at all does the one that carries the address matter. */
function nicOf(newcomer: NodeFacts | null, address: string): string | null {
  const found = newcomer?.host.addresses.find((candidate) => candidate.address === address);
  return found === undefined || found.nic === "lo" ? null : found.nic;
}

function resolvePaths(input: {
  readonly request: NodeWish;
  readonly like: NodeDeclaration;
  readonly newcomer: NodeFacts | null;
}): NodePaths {
  const own = input.newcomer === null ? null : agentPaths(input.newcomer);
  const base = own ?? input.like.paths;
  const wanted = input.request.dataDirectory;
  if (wanted === null || wanted === base.dataDirectory) return base;
  const relocation = relocationBetween(base, { ...base, dataDirectory: wanted }).filter(
    ({ from }) => from === base.dataDirectory,
  );
  return {
    ...base,
    dataDirectory: wanted,
    configFile: relocate(base.configFile, relocation),
    hbaFile: relocate(base.hbaFile, relocation),
    identFile: relocate(base.identFile, relocation),
  };
}

/** The folders in an agent's own settings, as its facts show them; null for what the facts don't tell. */
function agentPaths(facts: NodeFacts): NodePaths | null {
  const pathOf = (format: "server-conf" | "hba" | "ident"): string | null =>
    facts.files.find((file) => file.format === format)?.path ?? null;
  const configFile = pathOf("server-conf");
  const hbaFile = pathOf("hba");
  const identFile = pathOf("ident");
  if (configFile === null || hbaFile === null || identFile === null) return null;
  const { root, binDirectory, dataDirectory } = facts.agent;
  return { root, binDirectory, dataDirectory, configFile, hbaFile, identFile };
}
