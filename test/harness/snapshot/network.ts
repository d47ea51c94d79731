import { readFileSync } from "node:fs";
import type { Host } from "#test/harness/host.ts";
import { labFolder } from "#test/harness/lab-registry.ts";

/** What a host listens on, its addresses, its packet filter and its mounts. Nothing while it is off. */
export async function networkEntries(host: Host): Promise<Record<string, string>> {
  if (!host.isUp() || host.root !== "") return {};
  const init = `${host.path("/proc")}/1`;
  const [filter, addresses] = await Promise.all([
    host.exec(["nft", "list", "ruleset"]),
    host.exec(["ip", "-o", "addr", "show"]),
  ]);
  const ports = ["tcp", "tcp6", "udp", "udp6"].flatMap((kind) =>
    listeningPorts(kind, readFileSync(`${init}/net/${kind}`, "latin1")),
  );
  const unix = listeningPaths(readFileSync(`${init}/net/unix`, "latin1"));
  const held = addresses.stdout.split("\n").map((line) => {
    const [, device = "", , address = ""] = line.trim().split(/\s+/);
    return [`address ${address}`, `on ${device}`] as const;
  });
  const mounts = readFileSync(`${init}/mounts`, "latin1").split("\n");
  return {
    "packet filter": `${filter.stdout.trim() === "" ? "empty" : "rules"}\n${withoutMoments(filter.stdout)}`,
    ...Object.fromEntries([...ports, ...unix].map((name) => [`listens ${name}`, "open"])),
    ...Object.fromEntries(held.filter(([name]) => !/^address (?:$|fe80:)/.test(name))),
    ...Object.fromEntries(
      mounts.flatMap((line) => {
        const [device = "", place = "", type = "", options = ""] = line.split(" ");
        // Every lab of the machine has its network namespaces and its own disks there.
        const isOther =
          place === "" || place.startsWith("/run/netns/") || place.startsWith(labFolder(""));
        return isOther ? [] : [[`mount ${place}`, `${device} ${type} ${options}`]];
      }),
    ),
  };
}

/** Elements that end by themselves say for how long they still are there; counters count. */
function withoutMoments(ruleset: string): string {
  return ruleset.replace(/ expires \S+?(?=[\s,}])/g, "").replace(/packets \d+ bytes \d+/g, "");
}

/** proc(5), net/tcp: `sl local_address rem_address st …`; 0A is LISTEN. UDP ports that the kernel chose are nobody's door. */
export function listeningPorts(kind: string, table: string): readonly string[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, local = "", , state = ""] = line.trim().split(/\s+/);
      const [address = "", portHex = ""] = local.split(":");
      const port = Number.parseInt(portHex, 16);
      if (Number.isNaN(port)) return [];
      if (kind.startsWith("tcp") ? state !== "0A" : port >= 32_768) return [];
      return [`${kind} ${readableAddress(address)}:${port}`];
    });
}

/** Four bytes each in the machine's own (little endian) order. */
function readableAddress(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.every((byte) => byte === "00")) return "*";
  return bytes.length === 4
    ? bytes.map((byte) => Number.parseInt(byte, 16)).join(".")
    : bytes.join("");
}

/** proc(5), net/unix: `Num RefCount Protocol Flags Type St Inode Path`; flag 0x10000 is a listener. */
export function listeningPaths(table: string): readonly string[] {
  return table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, , , flags, , , , path] = line.trim().split(/\s+/);
      return flags === "00010000" && path !== undefined ? [`unix ${path}`] : [];
    });
}
