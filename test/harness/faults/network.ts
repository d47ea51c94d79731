import type { Host } from "../host.ts";
import { faultUntil, type Fault } from "./fault.ts";

/** What a fault of the network is about: packets of one other host, of one TCP port (at either end), or both. */
export type Traffic = { readonly of?: Host; readonly port?: number };

let counter = 0;

/** The cable is out: no carrier, addresses stay, nobody says goodbye. */
export async function cutLink(host: Host): Promise<Fault> {
  await host.cutLink();
  return faultUntil(() => host.healLink());
}

/**
 * What comes in is lost on the way, what goes out arrives: one direction only. Established connections stay open on
 * both sides, and neither is told.
 */
export function loseIncoming(host: Host, traffic: Traffic): Promise<Fault> {
  return filter(host, chain("input", matching("saddr", traffic), "drop"));
}

/** Both directions: what is half open stays so, and the peer is as if it had vanished without a FIN or RST. */
export function loseTraffic(host: Host, traffic: Traffic): Promise<Fault> {
  const output = chain("output", matching("daddr", traffic), "drop");
  return filter(host, `${chain("input", matching("saddr", traffic), "drop")}\n${output}`);
}

/** Every packet to that port is answered with a reset, as a firewall does that is set so, or a host whose service is gone. */
export function rejectPort(host: Host, port: number): Promise<Fault> {
  return filter(host, chain("input", [`tcp dport ${port}`], "reject with tcp reset"));
}

/** The kernel resets the established connections of a port, on both sides, once. Answers how many there were. */
export async function resetConnections(host: Host, port: number): Promise<number> {
  const { stdout } = await host.exec([
    ...["ss", "-K", "-n", "-H", "-t", "state", "established"],
    `( dport = :${port} or sport = :${port} )`,
  ]);
  return stdout.split("\n").filter((line) => line.trim() !== "").length;
}

/** Everything that comes in over the host's cable has to fit this rate, in kilobits a second. */
export async function narrowLink(host: Host, kilobits: number): Promise<Fault> {
  await host.setLinkRate(kilobits);
  return faultUntil(() => host.setLinkRate(null));
}

/** One rule for each line of `matches`; the same verdict for all of them. */
function chain(hook: "input" | "output", matches: readonly string[], verdict: string): string {
  const rules = matches.map((match) => `${match} ${verdict}`).join("\n");
  return `chain ${hook} { type filter hook ${hook} priority -10; policy accept;\n${rules}\n}`;
}

function matching(end: "saddr" | "daddr", { of, port }: Traffic): readonly string[] {
  const host = of === undefined ? [""] : [`ip ${end} ${of.address}`];
  const ports = port === undefined ? [""] : [`tcp sport ${port}`, `tcp dport ${port}`];
  const matches = host.flatMap((from) => ports.map((rest) => `${from} ${rest}`.trim()));
  if (matches.includes("")) throw new Error("a host or a port must be named");
  return matches;
}

/** A table of its own in the host's network, removed when it is healed. */
async function filter(host: Host, chains: string): Promise<Fault> {
  counter += 1;
  const table = `inet fault${counter}`;
  await host.nft(`table ${table} {\n${chains}\n}\n`);
  return faultUntil(() => host.nft(`delete table ${table}\n`));
}
