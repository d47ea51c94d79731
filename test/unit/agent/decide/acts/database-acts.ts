import { noMarks } from "#agent/decide/view.ts";
import { primary, view } from "../view-builder.ts";
import type { Acts } from "./acts.ts";

const stopped = primary({ status: "stopped", role: null, postmasterPid: null });
const dead = (hasStandbyMarker: boolean) =>
  view({ ...stopped, hasStandbyMarker }, { hasStalePid: true, policy: { restart: "all" } });

const sinceBoot = (hasStandbyMarker: boolean) =>
  view(
    { ...stopped, hasStandbyMarker },
    { policy: { restart: "all" }, marks: { ...noMarks, ranInBoot: "an earlier one" } },
  );

export const databaseActs: Acts = {
  "database-not-started": [
    ["a standby", sinceBoot(true)],
    ["a former primary (with `guard.restart: all` only)", sinceBoot(false)],
  ],
  "database-dead": [
    ["a standby", dead(true)],
    ["a former primary (with `guard.restart: all` only)", dead(false)],
  ],
};
