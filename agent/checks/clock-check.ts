import { asFailure } from "#shared/errors.ts";
import { watchForSetting } from "#shared/time.ts";
import { numberOf } from "../observe/row-values.ts";
import type { Ports } from "../ports.ts";
import { fine, warning, type Check } from "./check.ts";

/** As much as preflight takes for the same clock. */
const mostApartMs = 2_000;

/** This host's time of day: was it set, and does it agree with the coordinator's and, on a standby, its upstream's? */
export function clockCheck(
  { settings, product, clock, databases }: Pick<Ports, "settings" | "product" | "clock" | "databases">, // prettier-ignore
  coordinatorAheadMs: () => number | null,
): Check {
  const setSince = watchForSetting(clock);
  return {
    name: "clock",
    schedule: settings.guard.schedules.clock,
    looks: 1,
    run: async () => {
      const setBy = setSince();
      const others: readonly Other[] = [
        { whose: "coordinator", ...knownOr(coordinatorAheadMs(), "not connected") },
        { whose: "upstream", ...(await upstream(databases, product)) },
      ];
      const troubles = [
        ...(setBy === 0 ? [] : [`this host's clock was set by ${seconds(setBy)}, or the host stood still`]), // prettier-ignore
        ...others.flatMap(({ whose, aheadMs }) =>
          aheadMs !== null && Math.abs(aheadMs) > mostApartMs
            ? [`the ${whose}'s clock is ${seconds(aheadMs)} from this host's`]
            : [],
        ),
      ];
      if (troubles.length > 0) return warning(troubles.join("; "));
      return fine(
        others
          .map(({ whose, aheadMs, why }) => `${whose} ${aheadMs === null ? why : seconds(aheadMs)}`)
          .join(", "),
      );
    },
  };
}

type Other = { readonly whose: string; readonly aheadMs: number | null; readonly why: string };

/** By the times in the last message of its WAL stream: its own when it sent it, ours when it came. */
async function upstream(
  databases: Ports["databases"],
  product: Ports["product"],
): Promise<Omit<Other, "whose">> {
  const { versionNumber } = databases.own;
  if (versionNumber === null) return knownOr(null, "unknown: no connection to the database");
  try {
    const [row] = await databases.own.query(product.dialect(versionNumber).upstreamClock);
    return knownOr(row === undefined ? null : numberOf(row, "ahead_ms"), "unknown: nothing is received"); // prettier-ignore
  } catch (error) {
    return knownOr(null, `unknown: ${asFailure(error).message}`);
  }
}

function knownOr(aheadMs: number | null, why: string): Omit<Other, "whose"> {
  return { aheadMs, why };
}

function seconds(ms: number): string {
  return `${ms < 0 ? "" : "+"}${(ms / 1_000).toFixed(1)} s`;
}
