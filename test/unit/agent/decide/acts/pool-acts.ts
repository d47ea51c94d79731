import { primary, view } from "../view-builder.ts";
import type { Acts } from "./acts.ts";

export const poolActs: Acts = {
  "pool-dead": [["at once", view(primary(), { hasDeadPool: true, rootHelperVerbs: ["pool-start"] })]], // prettier-ignore
};
