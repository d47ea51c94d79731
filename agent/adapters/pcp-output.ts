/** What pcp programs print, from pgpool 3.6 (kingbasecluster's lineage) to 4.x. */

export type PcpNode = {
  readonly hostname: string;
  readonly port: number;
  readonly status: "up" | "down" | "unused";
  /** primary, standby, master or slave; null where this version does not say. */
  readonly role: string | null;
};

/**
 * `pcp_node_info -v` (`Hostname : n2`, a line each) or its plain form (`n2 5432 2 0.5 …`); null for a row that the pool
 * does not have: pgpool 4.3 prints nothing then and exits with 0.
 */
export function parseNodeInfo(text: string): PcpNode | null {
  const values = readPairs(text);
  const hostname = values.get("hostname");
  if (hostname !== undefined) {
    const [status = "", port = ""] = [values.get("status"), values.get("port")];
    const named = values.get("status name") ?? status;
    return nodeOf(hostname, port, named, values.get("role") ?? null);
  }
  const [host, port, status, , ...rest] = text.trim().split(/\s+/);
  if (host === undefined || port === undefined || status === undefined) return null;
  const role = rest.find((word) => /^(primary|standby|master|slave)$/i.test(word)) ?? null;
  return nodeOf(host, port, status, role);
}

function nodeOf(hostname: string, portText: string, status: string, role: string | null) {
  const port = Number(portText);
  if (hostname === "" || !Number.isInteger(port) || port < 1) return null;
  return {
    hostname,
    port,
    status: statusOf(status),
    role: role === null ? null : role.toLowerCase(),
  };
}

/** 0 and 1 and 2: connections are opened or can be; 3: down (pgpool docs, pcp_node_info). Words in later versions. */
function statusOf(text: string): PcpNode["status"] {
  switch (text.trim().toLowerCase()) {
    case "1":
    case "2":
    case "up":
    case "waiting":
      return "up";
    case "0":
    case "unused":
      return "unused";
    default:
      return "down";
  }
}

export type PcpWatchdog = {
  /** Is the pool that was asked the leader? */
  readonly isLeader: boolean;
  /** Host name of the leader; null while there is none. */
  readonly leader: string | null;
};

/** `pcp_watchdog_info -v`: after the summary the pool that was asked stands first. MASTER is LEADER before 4.2. */
export function parseWatchdogInfo(text: string): PcpWatchdog | null {
  const [summary, ...nodes] = text.split(/\n(?=\s*Node Name\s*:)/);
  const own = nodes[0];
  if (summary === undefined || own === undefined) return null;
  const pairs = readPairs(summary);
  const leader = pairs.get("leader host name") ?? pairs.get("master host name") ?? null;
  return {
    isLeader: /^(leader|master)$/i.test(readPairs(own).get("status name") ?? ""),
    leader: leader === "" || leader === "Not_Set" ? null : leader,
  };
}

/** `Status Name : up` as `status name` → `up`; the first of a name wins. */
function readPairs(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*([A-Za-z][A-Za-z ]*?)\s*:\s*(.*?)\s*$/.exec(line);
    const name = match?.[1]?.toLowerCase();
    if (name !== undefined && !pairs.has(name)) pairs.set(name, match?.[2] ?? "");
  }
  return pairs;
}
