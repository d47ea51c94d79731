import { asFailure } from "#shared/errors.ts";
import type { Ports } from "../ports.ts";
import { fine, warning, type Check } from "./check.ts";

/** KingbaseES licence manual: the server warns from a month before the end on, and stops at the next start after it. */
const warnDays = 30;
const criticalDays = 7;
/** Seen in scripts of sites that have a permanent licence; other negative numbers have no known meaning. */
const noEnd = -2;

/** How long the product's licence is good for; null where the product has none. */
export function licenceCheck({
  settings,
  product,
  files,
  databases,
}: Pick<Ports, "settings" | "product" | "files" | "databases">): Check | null {
  const { vendor } = product;
  if (vendor === null) return null;
  const file = vendor.licenceFile(settings.paths.root ?? "");
  return {
    name: "licence",
    schedule: settings.guard.schedules.licence,
    looks: 1,
    run: async () => {
      if ((await files.stat(file)) === null) {
        return warning(`${file} is missing: the server will not start again without it`);
      }
      const days = await validDays(databases, vendor.licenceDays);
      if (typeof days === "string") return fine(`${file} is there; its end is not known: ${days}`);
      if (days === noEnd) return fine(`${file} is good for ever`);
      const text = `${file} is good for ${days} more days; after that the server runs on and can't be started again`;
      if (days < criticalDays) return { severity: "critical", text };
      return days < warnDays ? warning(text) : fine(text);
    },
  };
}

/** As the server says; or why it doesn't. */
async function validDays(databases: Ports["databases"], sql: string): Promise<number | string> {
  try {
    const rows = await databases.own.query(sql);
    const days = Number(rows[0]?.["days"] ?? "none");
    const isDays = days >= 0 || days === noEnd;
    return isDays ? days : `the server says ${String(rows[0]?.["days"])}`;
  } catch (error) {
    return asFailure(error).message;
  }
}
