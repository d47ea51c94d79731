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
    hint: allowHint(node, [verb]),
  });
}

export function allowHint(node: string, verbs: readonly CommandKind[]): string {
  const lines = verbs.map((verb) => `- "${verb}"`).join(" and ");
  return `On ${node}, as root, with this version of the agent: add ${lines} below allow: verbs: in /etc/castellan/agent.yaml, then systemctl restart castellan-agent`;
}
