import type { GuardMode } from "#shared/domain/guard.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { failureRecord } from "#shared/failure-record.ts";
import type { Mutes } from "../alerts/mutes.ts";
import type { MaintenanceAnswer, MaintenanceRequest } from "../api/guard-contract.ts";
import type { CoordinatorPorts } from "../ports.ts";
import { assertOffers } from "./offers.ts";

type MaintenancePorts = Pick<CoordinatorPorts, "fleet" | "clusterFiles" | "store"> & {
  readonly alerting: { readonly mutes: Mutes };
};

/**
 * The agent first: a mute without maintenance would hide what the guard finds, and nobody would know why. Both end by
 * their own clocks, whoever is away by then. @throws Failure NOT_FOUND
 */
export async function setMaintenance(
  ports: MaintenancePorts,
  request: MaintenanceRequest,
): Promise<MaintenanceAnswer> {
  const nodes = await Promise.all(
    nodesOf(ports, request.what).map(async (node) => {
      try {
        const guard = await askAgent(ports, node, request);
        muteGuard(ports, node, request);
        return { node, guard, failure: null };
      } catch (error) {
        return { node, guard: null, failure: failureRecord(asFailure(error)) };
      }
    }),
  );
  return { nodes };
}

function nodesOf({ clusterFiles, fleet }: MaintenancePorts, what: string): readonly string[] {
  if (clusterFiles.names().includes(what)) {
    return clusterFiles.load(what).declaration.nodes.map(({ name }) => name);
  }
  if (fleet.agent(what) !== null) return [what];
  throw new Failure("NOT_FOUND", `There is no cluster or node ${what}.`, {
    hint: "castellan status",
  });
}

async function askAgent(
  { fleet }: MaintenancePorts,
  node: string,
  { forMs, note, requestedBy }: MaintenanceRequest,
): Promise<GuardMode> {
  assertOffers({ fleet }, node, "set-maintenance");
  return (await fleet.ask(node, "set-maintenance", { forMs, by: requestedBy, note })).guard;
}

/** Not what acts in every mode (a slot's WAL budget), nor that the mode itself was lost. */
function muteGuard(
  { alerting: { mutes }, store }: MaintenancePorts,
  node: string,
  { forMs, note, requestedBy }: MaintenanceRequest,
): void {
  const pattern = `node:${node}:guard:*`;
  if (forMs !== null) {
    mutes.add({ what: pattern, forMs, note: `maintenance${note === null ? "" : `: ${note}`}`, requestedBy }); // prettier-ignore
  } else if (store.mutes().some((mute) => mute.pattern === pattern)) {
    mutes.remove(pattern, requestedBy);
  }
}
