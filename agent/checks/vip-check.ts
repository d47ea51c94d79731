import type { HostFacts } from "#shared/domain/facts.ts";
import { nicWith, virtualAddress } from "../decide/virtual-address.ts";
import type { Ports } from "../ports.ts";
import { fine, type Check } from "./check.ts";

/**
 * Does another host answer for the virtual address while it is here? Nothing on this host shows it, so the network is
 * asked (ARP).
 */
export function vipCheck(
  { settings, clusterView, rootHelper }: Pick<Ports, "settings" | "clusterView" | "rootHelper">,
  host: () => HostFacts | null,
): Check {
  return {
    name: "vip",
    schedule: settings.guard.schedules.vip,
    looks: 1,
    run: async () => {
      const address = virtualAddress({ cluster: clusterView.current() });
      const seen = host();
      if (address === null || seen === null) return fine("no virtual address is declared");
      if (nicWith(seen, address) === null) return fine(`${address} is not on this host`);
      if (!seen.rootHelperVerbs.includes("vip-probe")) {
        return fine(`${address} is here; the root helper does not offer to ask who else has it`);
      }
      const answer = (await rootHelper.run("vip-probe")).stdout.trim();
      const mac = /^taken (\S+)$/.exec(answer)?.[1];
      if (mac === undefined) return fine(`${address} is here, and nobody else answers for it`);
      return {
        severity: "critical",
        text: `${address} is on this host, and ${mac} answers for it as well: clients reach either of them`,
      };
    },
  };
}
