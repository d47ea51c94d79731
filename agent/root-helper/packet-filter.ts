import { Failure } from "#shared/errors.ts";
import { findProgram, runProgram } from "./run-program.ts";

/**
 * Keeps clients' data out of the given TCP ports for a moment. Only segments with data that the sender wants delivered
 * (PSH) are dropped: connections are still opened and closed, and TCP sends the rest again. Whatever becomes of us, the
 * kernel itself ends it after `ms`.
 */
export type PacketFilter = {
  readonly kind: "nft" | "ipset";
  shut(ports: readonly number[], ms: number): Promise<void>;
  open(): Promise<void>;
  /** Removes what a killed helper left; false when a door is being held right now. */
  sweep(): Promise<boolean>;
};

/** nft where it is there, else ipset with iptables; a string says why there is neither. */
export async function findPacketFilter(
  find: (name: string) => string | null = findProgram,
): Promise<PacketFilter | string> {
  const nft = find("nft");
  if (nft !== null) {
    // A dry run against the kernel: it must know sets with timeouts, and we must be allowed to.
    const tried = await runProgram(nft, ["-c", "-f", "-"], shutRules([1], 1));
    if (tried.code === 0) return nftFilter(nft);
  }
  const ipset = find("ipset");
  const tables = [find("iptables"), find("ip6tables")].filter((file) => file !== null);
  if (ipset !== null && tables.length > 0) {
    const listed = await runProgram(ipset, ["list", "-n"]);
    if (listed.code === 0) return ipsetFilter(ipset, tables);
    return `ipset is there but can't be used: ${firstLine(listed.err)}`;
  }
  return nft === null
    ? "neither nft nor ipset with iptables is installed"
    : "nft is there but this kernel or container does not take its rules";
}

/** Everything in one transaction: there is no moment with half a table. */
export function shutRules(ports: readonly number[], ms: number): string {
  const elements = ports.map((port) => `${port} timeout ${ms}ms`).join(", ");
  return `add table inet castellan
delete table inet castellan
table inet castellan {
  set held { type inet_service; flags timeout; elements = { ${elements} }; }
  chain hold {
    type filter hook input priority -10; policy accept;
    tcp dport @held tcp flags & psh == psh drop
  }
}
`;
}

function nftFilter(nft: string): PacketFilter {
  const load = async (rules: string): Promise<void> => {
    const { code, err } = await runProgram(nft, ["-f", "-"], rules);
    if (code !== 0) throw new Failure("PROGRAM_FAILED", `nft: ${firstLine(err)}`);
  };
  const open = (): Promise<void> => load("add table inet castellan\ndelete table inet castellan\n");
  return {
    kind: "nft",
    shut: (ports, ms) => load(shutRules(ports, ms)),
    open,
    sweep: async () => {
      const set = await runProgram(nft, ["list", "set", "inet", "castellan", "held"]);
      if (set.code === 0 && set.out.includes("elements")) return false;
      await open();
      return true;
    },
  };
}

const setName = "castellan-held";

function ipsetFilter(ipset: string, tables: readonly string[]): PacketFilter {
  const must = async (file: string, args: readonly string[]): Promise<void> => {
    const { code, err } = await runProgram(file, args);
    if (code !== 0) throw new Failure("PROGRAM_FAILED", `${file}: ${firstLine(err)}`);
  };
  const rule = ["INPUT", "-p", "tcp", "-m", "set", "--match-set", setName, "dst"].concat([
    "--tcp-flags",
    "PSH",
    "PSH",
    "-j",
    "DROP",
  ]);
  const open = async (): Promise<void> => {
    for (const file of tables) {
      // A repeated shut could have put it there more than once.
      for (let count = 0; count < 4; count += 1) {
        const { code } = await runProgram(file, ["-D", ...rule]);
        if (code !== 0) break;
      }
    }
    await runProgram(ipset, ["destroy", setName]);
  };
  return {
    kind: "ipset",
    shut: async (ports, ms) => {
      // ipset counts whole seconds.
      const seconds = String(Math.ceil(ms / 1000));
      const range = ["bitmap:port", "range", "0-65535", "timeout", "1", "-exist"];
      await must(ipset, ["create", setName, ...range]);
      for (const file of tables) {
        const { code } = await runProgram(file, ["-C", ...rule]);
        if (code !== 0) await must(file, ["-I", ...rule]);
      }
      for (const port of ports) {
        await must(ipset, ["add", setName, String(port), "timeout", seconds, "-exist"]);
      }
    },
    open,
    sweep: async () => {
      const { code, out } = await runProgram(ipset, ["list", setName]);
      if (code === 0 && /^\d+ timeout /m.test(out)) return false;
      await open();
      return true;
    },
  };
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
