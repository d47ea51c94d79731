import { peer, primary, threeNodes, view } from "../view-builder.ts";
import type { Acts } from "./acts.ts";

const addresses = ["192.168.4.127", "192.168.4.200"].map((address) => ({
  nic: "eth0",
  address,
  prefix: 24,
  family: "ipv4" as const,
}));

function seen(role: "primary" | "standby", count: number) {
  return view(primary({ role }), {
    cluster: threeNodes(),
    peers: [peer("srv129"), peer("srv159")],
    addresses: addresses.slice(0, count),
    rootHelperVerbs: ["vip-add", "vip-drop"],
  });
}

export const vipActs: Acts = {
  "vip-on-non-primary": [["at once", seen("standby", 2)]],
  "vip-missing-on-primary": [["where nobody else can have it", seen("primary", 1)]],
};
