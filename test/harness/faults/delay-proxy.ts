import type { Host } from "../host.ts";
import { faultUntil, type Fault } from "./fault.ts";
import { waitFor } from "../wait-for.ts";

export type DelayOptions = {
  /** Connections that the host's users (root not) open to this address and port go through the proxy. */
  readonly to: { readonly address: string; readonly port: number };
  /** Added in each direction. */
  readonly delayMs: number;
};

/**
 * A slow path: the kernel of the test machines can't delay packets (no netem), so new connections are turned to a
 * proxy on the host itself that hands on every chunk late, in order. Those that are open already are not touched.
 * Its end cuts whatever goes through it.
 */
export async function delayConnections(host: Host, { to, delayMs }: DelayOptions): Promise<Fault> {
  const proxy = await host.spawn([
    ...[host.nodePath, "-e", program],
    ...[to.address, String(to.port), String(delayMs)],
  ]);
  let said = "";
  proxy.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  const port = await waitFor(() => /^(\d+)\n/.exec(said)?.[1], { what: "the delay proxy's port" });
  const table = `ip delay${port}`;
  const match = `meta skuid != 0 ip daddr ${to.address} tcp dport ${to.port}`;
  await host.nft(
    `table ${table} { chain output { type nat hook output priority -100;\n${match} redirect to :${port}\n}\n}\n`,
  );
  return faultUntil(async () => {
    // Before the rule goes: the farewell of what goes through it must still be translated.
    proxy.kill("SIGKILL");
    await proxy.exited;
    await host.nft(`delete table ${table}\n`);
  });
}

const program = `
const net = require("node:net");
const [address, port, delayMs] = process.argv.slice(1);
const handOn = (from, to) => {
  const later = (what) => setTimeout(what, Number(delayMs));
  from.on("data", (chunk) => later(() => to.destroyed || to.write(chunk)));
  from.on("end", () => later(() => to.end()));
  from.on("close", () => later(() => to.destroy()));
  from.on("error", () => undefined);
};
net.createServer({ allowHalfOpen: true, noDelay: true }, (inner) => {
  const outer = net.connect({ host: address, port: Number(port), allowHalfOpen: true, noDelay: true });
  handOn(inner, outer);
  handOn(outer, inner);
}).listen(0, "127.0.0.1", function () { console.log(this.address().port); });
`;
