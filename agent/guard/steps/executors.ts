import { addVip } from "./add-vip.ts";
import { attachBackend } from "./attach-backend.ts";
import { detachBackend } from "./detach-backend.ts";
import { dropVip } from "./drop-vip.ts";
import { offerRebuild } from "./offer-rebuild.ts";
import { openAsPrimary } from "./open-as-primary.ts";
import { rejoin } from "./rejoin.ts";
import { repoint } from "./repoint.ts";
import { restartPool } from "./restart-pool.ts";
import type { GuardExecutors } from "./step.ts";
import { startDatabase } from "./start-database.ts";
import { stopDatabase } from "./stop-database.ts";
import { synchronous } from "./synchronous.ts";
import { writeStandbyMarker } from "./write-standby-marker.ts";

/** Every step of shared/domain/guard.ts, and how this agent does it. */
export const guardExecutors: GuardExecutors = {
  "add-vip": addVip,
  "attach-backend": attachBackend,
  "detach-backend": detachBackend,
  "drop-vip": dropVip,
  "offer-rebuild": offerRebuild,
  "open-as-primary": openAsPrimary,
  rejoin,
  repoint,
  "restart-pool": restartPool,
  "start-database": startDatabase,
  "stop-database": stopDatabase,
  synchronous,
  "write-standby-marker": writeStandbyMarker,
};
