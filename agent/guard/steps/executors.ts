import { repoint } from "./repoint.ts";
import type { GuardExecutors } from "./step.ts";
import { stopDatabase } from "./stop-database.ts";
import { writeStandbyMarker } from "./write-standby-marker.ts";

/** Every step of shared/domain/guard.ts, and how this agent does it. */
export const guardExecutors: Partial<GuardExecutors> = {
  repoint,
  "stop-database": stopDatabase,
  "write-standby-marker": writeStandbyMarker,
};
