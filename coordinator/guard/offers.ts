import type { CommandKind } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { CoordinatorPorts } from "../ports.ts";

/** An agent of before would take the command for a bad message. @throws Failure REFUSED */
export function assertOffers(
  { fleet }: Pick<CoordinatorPorts, "fleet">,
  node: string,
  verb: CommandKind,
): void {
  const view = fleet.agent(node);
  if (view?.connected !== true || view.facts?.agent.verbs.includes(verb) !== false) return;
  throw new Failure("REFUSED", `The agent of ${node} does not offer ${verb}.`, {
    hint: `on ${node}: install this version of the agent, add ${verb} to allow.verbs in agent.yaml, restart it`,
  });
}
