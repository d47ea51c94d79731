import { addVip } from "./add-vip.ts";
import { dropVip } from "./drop-vip.ts";
import { offerRebuild } from "./offer-rebuild.ts";
import { openAsPrimary } from "./open-as-primary.ts";
import { rejoin } from "./rejoin.ts";
import { repoint } from "./repoint.ts";
import type { GuardExecutors } from "./step.ts";
import { startDatabase } from "./start-database.ts";
import { stopDatabase } from "./stop-database.ts";
import { writeStandbyMarker } from "./write-standby-marker.ts";

/** Every step of shared/domain/guard.ts, and how this agent does it. */
export const guardExecutors: Partial<GuardExecutors> = {
  "add-vip": addVip,
  "drop-vip": dropVip,
  "offer-rebuild": offerRebuild,
  "open-as-primary": openAsPrimary,
  rejoin,
  repoint,
  "start-database": startDatabase,
  "stop-database": stopDatabase,
  "write-standby-marker": writeStandbyMarker,
};
