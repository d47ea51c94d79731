import { setting } from "../add-node/situation.ts";
import type { Check } from "../checks.ts";
import type { DrillSituation } from "./checks.ts";

export const lossAccepted: Check<DrillSituation> = {
  id: "loss",
  title: "A crash loses nothing that was acknowledged",
  wrong: ({ asked, kind, acceptLoss, primaries: [primary] }) => {
    const names = setting(primary ?? null, "synchronous_standby_names") ?? "";
    if (kind === "stop" || acceptLoss || names !== "") return [];
    return [{ node: asked, found: "replication is asynchronous", fix: "--kind stop, or --accept-loss." }]; // prettier-ignore
  },
};

export const aPool: Check<DrillSituation> = {
  id: "a-pool",
  title: "There is a pool for the client to ask through",
  wrong: ({ nodes }) =>
    nodes.some(({ declared }) => declared.pool !== null)
      ? []
      : [{ node: null, found: "the cluster has no pool", fix: "A drill measures what the pool's clients feel." }], // prettier-ignore
};
