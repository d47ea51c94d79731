import type { GuardView } from "../view.ts";
import { nicWith, virtualAddress, whyNotTake } from "../virtual-address.ts";
import { successor } from "../whom-to-follow.ts";
import type { Rule } from "./rule.ts";

const install = "root helper: castellan-root install with --virtual-address and --nic";

/** The virtual address is on exactly the primary. */
export const vipRules: readonly Rule[] = [
  {
    id: "vip-on-non-primary",
    because: "clients that want the primary reach a node that is none",
    severity: "critical",
    looks: 1,
    class: "vip",
    when: (view) => {
      const address = virtualAddress(view);
      const nic = address === null ? null : nicWith(view.facts.host, address);
      const { status, role } = view.facts.database;
      if (nic === null) return null;
      if (status === "unreachable") {
        // One that hangs would keep it from its successor for ever.
        const newer = successor(view);
        return newer === null ? null : `${address} is on ${nic}, the database is ${status}, and ${newer.node} is the primary on timeline ${newer.timeline}`; // prettier-ignore
      }
      if (role === "primary") return null;
      return `${address} is on ${nic}, and the database ${status === "running" ? "is in recovery" : `is ${status}`}`; // prettier-ignore
    },
    steps: (view) => (offers(view, "vip-drop") ? [{ do: "drop-vip" }] : []),
    next: `take it off: ip addr del ADDRESS dev NIC; where the guard is to do it: ${install}`,
  },
  {
    id: "vip-missing-on-primary",
    because: "clients that want the primary reach nobody",
    severity: "critical",
    looks: 2,
    class: "vip",
    when: (view) => (lacksAddress(view) && whyNotTake(view) === null ? whatLacks(view) : null),
    steps: (view) => (offers(view, "vip-add") ? [{ do: "add-vip" }] : []),
    nearly: (view) => {
      const why = lacksAddress(view) ? whyNotTake(view) : null;
      return why === null ? null : { evidence: whatLacks(view), missing: why };
    },
    next: `castellan why says what kept it away; where the guard is to add it: ${install}`,
  },
  {
    id: "nic-gone",
    because: "the interface that is declared for this node has no address",
    severity: "warning",
    looks: 3,
    class: "vip",
    when: ({ cluster, node, facts: { host } }) => {
      const nic = cluster?.nodes.find(({ name }) => name === node)?.nic ?? null;
      if (nic === null || host.addresses.some((one) => one.nic === nic)) return null;
      const others = [...new Set(host.addresses.map((one) => one.nic))].join(", ");
      return `${nic} is gone, or without an address; there are: ${others === "" ? "none" : others}`;
    },
    next: "bring the interface up, or correct nic of this node in cluster.yaml and DEV in HAmodule.conf",
  },
];

function lacksAddress(view: GuardView): boolean {
  const address = virtualAddress(view);
  const { status, role } = view.facts.database;
  if (address === null || status !== "running" || role !== "primary") return false;
  return nicWith(view.facts.host, address) === null;
}

function whatLacks(view: GuardView): string {
  return `${virtualAddress(view)} is not on this host, whose database is the primary`;
}

function offers({ facts: { host } }: GuardView, verb: string): boolean {
  return host.rootHelperVerbs.includes(verb);
}
