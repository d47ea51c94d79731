import { noMarks } from "#agent/decide/view.ts";
import { all, leader, synchronousPrimary, without } from "../synchronous-views.ts";
import { threeNodes, view, walsender } from "../view-builder.ts";
import type { Acts } from "./acts.ts";

export const syncActs: Acts = {
  "synchronous-without-standby": [
    ["once no pool may promote who left", without()],
    [
      "with others that still stream",
      view(synchronousPrimary("2 (srv129, srv159)", [walsender("srv159")]), {
        cluster: threeNodes(),
      }),
    ],
  ],
  "synchronous-again": [
    [
      "where it was, or the product's file says so",
      view(synchronousPrimary("", [walsender("srv129")]), {
        marks: { ...noMarks, synchronousBefore: all },
      }),
    ],
  ],
  "backend-up-though-gone": [
    ["on the host whose pool leads", leader("up", synchronousPrimary("1 (srv129)", []))],
  ],
  "backend-down-though-streaming": [["on the host whose pool leads", leader("down")]],
};
