import type * as z from "zod";
import { Failure } from "#shared/errors.ts";
import type { ImportAnswer, ImportRequest } from "../../api/contract.ts";
import type { AgentView, CoordinatorPorts } from "../../ports.ts";
import { importFrom } from "./import-from.ts";
import type { ImportedNode } from "./node-from-facts.ts";

type Request = z.infer<typeof ImportRequest>;

/**
 * Writes NAME.yaml from what the agents of a running cluster see; touches nothing of the cluster itself.
 * @throws Failure NOT_FOUND, NODE_UNREACHABLE, CONFIG_INVALID, ALREADY_EXISTS.
 */
export async function importCluster(
  { fleet, clusterFiles }: CoordinatorPorts,
  request: Request,
): Promise<ImportAnswer> {
  const taken = clusterFiles
    .names()
    .filter((name) => name !== request.name)
    .flatMap((name) => declaredNodes(clusterFiles, name));
  const wanted =
    request.nodes.length > 0
      ? request.nodes
      : fleet
          .agents()
          .filter((agent) => agent.connected && !taken.includes(agent.node))
          .map((agent) => agent.node);
  if (wanted.length === 0) {
    throw new Failure("NOT_FOUND", "No agent has joined that could be imported from.", {
      hint: "castellan token create --node NAME, and run the line it prints on each host.",
    });
  }
  for (const node of wanted) assertConnected(node, fleet.agent(node));
  await fleet.observe(wanted);
  const nodes = wanted.flatMap((name): readonly ImportedNode[] => {
    const facts = fleet.agent(name)?.facts ?? null;
    return facts === null ? [] : [{ name, facts }];
  });
  // A host that waits to be added has no database yet: it is no part of the cluster unless it was named.
  const members =
    request.nodes.length > 0
      ? nodes
      : nodes.filter(({ facts }) => facts.database.status !== "absent");
  const imported = importFrom(request.name, members);
  if (request.dryRun) return { ...imported, file: `${request.name}.yaml`, written: false };
  const { file } = clusterFiles.create(request.name, imported.yaml);
  return { ...imported, file, written: true };
}

function assertConnected(node: string, agent: AgentView | null): void {
  if (agent === null) {
    throw new Failure("NOT_FOUND", `No agent ever joined as ${node}.`, {
      hint: `castellan token create --node ${node}, and run the line it prints on that host.`,
    });
  }
  if (agent.connected) return;
  throw new Failure("NODE_UNREACHABLE", `The agent of ${node} is away.`, {
    hint: `Start castellan-agent on ${node}.`,
  });
}

/** Of a file that can't be read nobody knows its nodes: it holds nothing back. */
function declaredNodes(
  clusterFiles: CoordinatorPorts["clusterFiles"],
  name: string,
): readonly string[] {
  try {
    return clusterFiles.load(name).declaration.nodes.map((node) => node.name);
  } catch (error) {
    if (error instanceof Failure && error.code === "CONFIG_INVALID") return [];
    throw error;
  }
}
