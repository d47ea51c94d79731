import type { Lab } from "#test/harness/lab.ts";
import { testLab } from "#test/harness/test-lab.ts";

const addresses = { srv127: 127, srv129: 129, srv159: 159, client: 50 };

/** The hosts that the harness itself is tried with. */
export function lab(mode: "namespaces" | "loopback"): Promise<Lab> {
  const network = mode === "loopback" ? "127.0.4" : "192.168.4";
  const hosts = Object.entries(addresses).map(([name, n]) => ({
    name,
    address: `${network}.${n}`,
  }));
  return testLab({ mode, hosts });
}
