import { Failure } from "#shared/errors.ts";
import type { ConfirmPrimaryAnswer, ConfirmPrimaryRequest } from "../api/guard-contract.ts";
import type { CoordinatorPorts } from "../ports.ts";
import { assertOffers } from "./offers.ts";

/** The agent refuses where it sees another primary itself. @throws Failure NOT_FOUND, REFUSED */
export async function confirmPrimary(
  ports: Pick<CoordinatorPorts, "fleet">,
  { node, requestedBy }: ConfirmPrimaryRequest,
): Promise<ConfirmPrimaryAnswer> {
  if (ports.fleet.agent(node) === null) {
    throw new Failure("NOT_FOUND", `There is no node ${node}.`, { hint: "castellan status" });
  }
  assertOffers(ports, node, "confirm-primary");
  const { lines } = await ports.fleet.ask(node, "confirm-primary", { by: requestedBy });
  return { node, lines };
}
