import { accessChecks } from "./access-checks.ts";
import { capacityChecks } from "./capacity-checks.ts";
import type { Check } from "./check.ts";
import { fleetChecks } from "./fleet-checks.ts";
import { namingChecks } from "./naming-checks.ts";
import { networkChecks } from "./network-checks.ts";
import { poolChecks } from "./pool-checks.ts";
import { softwareChecks } from "./software-checks.ts";
import { synchronousChecks } from "./synchronous-checks.ts";
import { targetChecks } from "./target-checks.ts";
import { topologyChecks } from "./topology-checks.ts";
import { vendorChecks } from "./vendor-checks.ts";

export type CheckTheme = { readonly title: string; readonly checks: readonly Check[] };

/** All checks of add-node by theme. The order is that of the screen: who is there, what is, what will be. */
export const checkThemes: readonly CheckTheme[] = [
  { title: "Agents", checks: fleetChecks },
  { title: "Names and addresses", checks: namingChecks },
  { title: "The cluster as it is", checks: topologyChecks },
  { title: "Software", checks: softwareChecks },
  { title: "Room in the servers", checks: capacityChecks },
  { title: "The new host", checks: targetChecks },
  { title: "Network", checks: networkChecks },
  { title: "Passwords and access", checks: accessChecks },
  { title: "Synchronous replication", checks: synchronousChecks },
  { title: "Pools", checks: poolChecks },
  { title: "The vendor's scripts", checks: vendorChecks },
];

export const checkTable: readonly Check[] = checkThemes.flatMap(({ checks }) => checks);
