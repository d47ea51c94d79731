import { primary, view } from "../view-builder.ts";
import type { Acts } from "./acts.ts";

const stopped = primary({ status: "stopped", role: null, postmasterPid: null });
const dead = (hasStandbyMarker: boolean) =>
  view({ ...stopped, hasStandbyMarker }, { hasStalePid: true, policy: { restart: "all" } });

export const databaseActs: Acts = {
  "database-dead": [
    ["a standby", dead(true)],
    ["a former primary (with `guard.restart: all` only)", dead(false)],
  ],
};
