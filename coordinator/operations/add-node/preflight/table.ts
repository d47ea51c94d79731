import type { Check } from "./check.ts";
import { fleetChecks } from "./fleet-checks.ts";
import { softwareChecks } from "./software-checks.ts";
import { topologyChecks } from "./topology-checks.ts";

/** All checks of add-node, one row each. The order is that of the screen: who is there, what is, what will be. */
export const checkTable: readonly Check[] = [...fleetChecks, ...topologyChecks, ...softwareChecks];
