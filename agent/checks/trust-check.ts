import { haText, parseHaModule } from "#shared/config-files/ha-module.ts";
import { parsePoolConf } from "#shared/config-files/pool-conf.ts";
import { poolSettings } from "#shared/config-files/pool-settings.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { Address } from "#shared/domain/names.ts";
import { ping } from "../adapters/ping.ts";
import type { Ports } from "../ports.ts";
import { fine, warning, type Check } from "./check.ts";

/**
 * Which trust addresses answer. One that is silent is told and no more: a gateway that is down is no reason to stop a
 * database (the vendor's check stops all of them).
 */
export function trustCheck(
  { settings, programs }: Pick<Ports, "settings" | "programs">,
  /** Trust addresses of the cluster's declaration. */
  declared: () => readonly string[],
  files: () => readonly FileFacts[],
): Check {
  const { guard } = settings;
  return {
    name: "trust",
    schedule: guard.schedules.trust,
    looks: 2,
    run: async (signal) => {
      const addresses = trustAddresses(settings, declared(), files());
      if (addresses.length === 0) return fine("no trust address is named");
      const asked = await Promise.all(
        addresses.map(async (address) => ({ address, ...(await ping(address, programs, signal)) })),
      );
      const silent = asked.filter(({ answer }) => answer !== "alive");
      const [problem] = asked.flatMap((one) => one.problem ?? []);
      const how = problem === undefined ? "" : ` (asked over TCP as well: ${problem})`;
      const alive = `${asked.length - silent.length} of ${asked.length} answer`;
      if (silent.length === 0) return fine(`${alive}${how}`);
      const told = silent.map(({ address, answer }) =>
        answer === "unresolved" ? `the name ${address} can't be resolved` : `${address} is silent`,
      );
      return warning(`${told.join(", ")}; ${alive}${how}`);
    },
  };
}

/** Those of agent.yaml; where it has none, the declared ones and those that this host's files name. */
export function trustAddresses(
  { guard }: Pick<Ports["settings"], "guard">,
  declared: readonly string[],
  files: readonly FileFacts[],
): readonly string[] {
  if (guard.trustAddresses.length > 0) return guard.trustAddresses;
  return [...new Set([...declared, ...named(files)])];
}

/** As the vendor's scripts and the pool of this host know them. */
function named(files: readonly FileFacts[]): readonly string[] {
  const found = files.flatMap(({ format, maskedText }) => {
    if (maskedText === null) return [];
    if (format === "ha-module") {
      return haText(parseHaModule(maskedText), "KB_GATEWAY_IP")?.split(",") ?? [];
    }
    if (format !== "pool-conf") return [];
    return poolSettings(parsePoolConf(maskedText)).watchdog.trustedServers;
  });
  const trimmed = new Set(found.map((address) => address.trim()));
  return [...trimmed].filter((address) => Address.safeParse(address).success);
}
