/** The case study's two management nodes, the host that is to be added, and one for the coordinator. */
export const labHosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "srv159", address: "192.168.4.159" },
  { name: "coord", address: "192.168.4.10" },
] as const;
