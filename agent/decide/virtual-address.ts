import { bareAddress, isSameAddress } from "#shared/domain/addresses.ts";
import type { HostFacts } from "#shared/domain/facts.ts";
import type { GuardView } from "./view.ts";

/** The cluster's virtual address for its primary, without the prefix; null where it has none. */
export function virtualAddress({ cluster }: Pick<GuardView, "cluster">): string | null {
  const declared = cluster?.virtualAddresses.database ?? null;
  return declared === null ? null : bareAddress(declared);
}

/** The interface that has the address here; null where none has. */
export function nicWith({ addresses }: HostFacts, address: string): string | null {
  return addresses.find((one) => isSameAddress(one.address, address))?.nic ?? null;
}

/**
 * What keeps this primary from taking the virtual address, which another host may rightly have; null where nothing does.
 * Whoever is silent is asked by the ARP probe before the address is added; a majority has to be seen all the same.
 */
export function whyNotTake(view: GuardView): string | null {
  const { cluster, node, peers, facts } = view;
  if (cluster === null) return "this node's cluster is not known yet";
  const own = cluster.nodes.find(({ name }) => name === node);
  if (own === undefined) return `${node} is not declared in ${cluster.cluster}`;
  if (nicWith(facts.host, own.address) === null) {
    return `its declared address ${own.address} is not on this host`;
  }
  const timeline = facts.database.timeline ?? 0;
  const others = cluster.nodes.filter(({ name }) => name !== node);
  let known = 1;
  for (const { name } of others) {
    const sight = peers.find((peer) => peer.node === name);
    if (sight?.database === "primary") return `${name} is a primary as well`;
    if ((sight?.timeline ?? 0) > timeline) return `${name} is on timeline ${sight?.timeline}`;
    if (sight?.database === "standby" || sight?.database === "refused") known += 1;
  }
  if (known * 2 > cluster.nodes.length) return null;
  return `only ${known} of ${cluster.nodes.length} nodes are known to be no primary, this one included`;
}
