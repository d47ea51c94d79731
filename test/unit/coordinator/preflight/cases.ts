import type { Case } from "./cases/case.ts";
import { accessCases } from "./cases/access-cases.ts";
import { capacityCases } from "./cases/capacity-cases.ts";
import { fleetCases } from "./cases/fleet-cases.ts";
import { namingCases } from "./cases/naming-cases.ts";
import { networkCases } from "./cases/network-cases.ts";
import { poolCases } from "./cases/pool-cases.ts";
import { softwareCases } from "./cases/software-cases.ts";
import { synchronousCases } from "./cases/synchronous-cases.ts";
import { targetCases } from "./cases/target-cases.ts";
import { topologyCases } from "./cases/topology-cases.ts";
import { vendorCases } from "./cases/vendor-cases.ts";

export const cases: readonly Case[] = [
  ...fleetCases,
  ...namingCases,
  ...topologyCases,
  ...softwareCases,
  ...capacityCases,
  ...targetCases,
  ...networkCases,
  ...accessCases,
  ...synchronousCases,
  ...poolCases,
  ...vendorCases,
];
