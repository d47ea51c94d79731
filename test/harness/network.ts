import { execa } from "execa";
import type { HostSpec } from "./host.ts";

/** A bridge in a network namespace of its own, with one cable to each host: the machine's own network stays untouched. */
export type Network = {
  readonly switchNamespace: string;
  namespaceOf(host: string): string;
  setLink(host: string, state: "up" | "down"): Promise<void>;
  /** Most kilobits a second that the cable takes to the host; null: all that the machine can. */
  setRate(host: string, kilobits: number | null): Promise<void>;
  /** What programs have put into a host's kernel goes with its power: a VIP, packet filter rules. */
  forgetAdded(host: string): Promise<void>;
};

/** First address of a host's /24: held by the switch itself, so that hosts have a gateway to ping. */
export function gatewayOf(address: string): string {
  return address.replace(/\.\d+$/, ".1");
}

export async function createNetwork(labId: string, hosts: readonly HostSpec[]): Promise<Network> {
  const switchNamespace = `${labId}-sw`;
  const namespaceOf = (host: string): string => `${labId}-${host}`;
  const cables = new Map(hosts.map(({ name }, index) => [name, `v${index}`]));
  const namespaces = [switchNamespace, ...hosts.map(({ name }) => namespaceOf(name))];
  await batch(
    [],
    namespaces.map((name) => `netns add ${name}`),
  );
  const gateways = new Set(hosts.map(({ address }) => gatewayOf(address)));
  await batch(
    ["-n", switchNamespace],
    [
      "link add br0 type bridge",
      ...[...gateways].map((gateway) => `addr add ${gateway}/24 dev br0`),
      "link set br0 up",
      "link set lo up",
      ...hosts.flatMap(({ name }) => [
        `link add ${cables.get(name)} type veth peer name eth0 netns ${namespaceOf(name)}`,
        `link set ${cables.get(name)} master br0 up`,
      ]),
    ],
  );
  await Promise.all(
    hosts.map(({ name, address }) =>
      batch(
        ["-n", namespaceOf(name)],
        [
          `addr add ${address}/24 dev eth0`,
          "link set lo up",
          "link set eth0 up",
          `route add default via ${gatewayOf(address)}`,
        ],
      ),
    ),
  );
  const cableOf = (host: string): string => {
    const cable = cables.get(host);
    if (cable === undefined) throw new Error(`no cable to ${host}`);
    return cable;
  };
  return {
    switchNamespace,
    namespaceOf,
    setLink: async (host, state) => {
      await execa("ip", ["-n", switchNamespace, "link", "set", cableOf(host), state]);
    },
    setRate: async (host, kilobits) => {
      const change = kilobits === null ? "del" : "replace";
      const shape = ["tbf", "rate", `${kilobits}kbit`, "burst", "16kb", "latency", "100ms"];
      const qdisc = ["qdisc", change, "dev", cableOf(host), "root"];
      await execa("tc", ["-n", switchNamespace, ...qdisc, ...(kilobits === null ? [] : shape)]);
    },
    forgetAdded: async (host) => {
      const namespace = namespaceOf(host);
      await execa("ip", ["-n", namespace, "addr", "flush", "dev", "eth0", "label", "eth0:*"]);
      await execa("ip", ["netns", "exec", namespace, "nft", "flush", "ruleset"]);
    },
  };
}

async function batch(options: readonly string[], lines: readonly string[]): Promise<void> {
  await execa("ip", [...options, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}
