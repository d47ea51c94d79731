import type { Refusal } from "./refusal.ts";

/** Commands that are wrong by their words alone, in the cluster as it is. */
export const wrongWords: readonly (Refusal & { readonly title: string })[] = [
  {
    title: "an unknown cluster",
    args: ["node", "add", "NOPE", "srv159", "--address", "192.168.4.159", "--yes"],
    exitCode: 8,
    says: ['no cluster "NOPE"', "ESHA"],
  },
  {
    title: "a cluster that is no name",
    args: ["node", "add", "../ESHA", "srv159", "--address", "192.168.4.159", "--yes"],
    exitCode: 8,
    says: ["../ESHA"],
  },
  {
    title: "an unknown node to copy from",
    args: addNode("srv159", "192.168.4.159", "--source", "srv999"),
    exitCode: 8,
    says: ["--source srv999", "srv127, srv129"],
  },
  {
    title: "an unknown node to follow",
    args: addNode("srv159", "192.168.4.159", "--like", "srv999"),
    exitCode: 8,
    says: ["--like srv999", "srv127, srv129"],
  },
  {
    title: "a host without an agent",
    args: addNode("srv160", "192.168.4.160"),
    exitCode: 3,
    says: ["agent-connected (srv160)", "castellan token create --node srv160"],
  },
  {
    title: "a name that is taken",
    args: addNode("srv129", "192.168.4.159"),
    exitCode: 3,
    says: ["srv129 (192.168.4.129) in ESHA", "Choose another name"],
  },
  {
    title: "the address of a node",
    args: addNode("srv159", "192.168.4.127"),
    exitCode: 3,
    says: ["address-free (srv159)", "192.168.4.127 is srv127"],
  },
  {
    title: "the pools' virtual address",
    args: addNode("srv159", "192.168.4.201"),
    exitCode: 3,
    says: ["address-not-virtual (srv159)", "192.168.4.201"],
  },
  {
    title: "an address that is a name",
    args: addNode("srv159", "srv159"),
    exitCode: 3,
    says: ["address-numeric (srv159)"],
  },
  {
    title: "an address that is no address",
    args: addNode("srv159", "192.168.4.999; rm -r /"),
    exitCode: 2,
    says: ["address"],
  },
  {
    title: "a port that can't be one",
    args: addNode("srv159", "192.168.4.159", "--port", "99999"),
    exitCode: 2,
    says: ["99999"],
  },
  {
    title: "no confirmation and no terminal",
    args: ["node", "add", "ESHA", "srv159", "--address", "192.168.4.159"],
    exitCode: 2,
    says: ["nothing was changed", "--yes"],
  },
];

function addNode(node: string, address: string, ...more: readonly string[]): string[] {
  return ["node", "add", "ESHA", node, "--address", address, ...more, "--yes"];
}
