import { setTimeout as sleep } from "node:timers/promises";
import { parseDocument } from "yaml";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { openClient } from "#test/harness/sql-client.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { enforce } from "./guard.ts";

export type Course = {
  /** What of the primary's host is lost: all, what it is sent, or what it sends. */
  readonly cut: "all" | "incoming" | "outgoing";
  /** Of the primary's host: alive, dead before, or killed with the cut and started again, as systemd does. */
  readonly agent: "alive" | "dead" | "restarted";
  /** Two: the coordinator runs on the standby's host. */
  readonly voters: 2 | 3;
  readonly commits: "async" | "sync";
};

export type PartitionBed = AsyncDisposable & {
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  /** Answers when it is so, with how it is mended. */
  cut(): Promise<() => Promise<void>>;
  /** When a client on the primary's own host had its last row acknowledged; null: none since the cut. */
  lastRowHere(): Promise<number | null>;
  /** When a client of the pools had its first row acknowledged since the cut; null: none yet. */
  firstRowThere(): number | null;
};

const names = ["srv127", "srv129"];
const address = (name: string): string => `192.168.4.${name === "coord" ? "10" : name.slice(3)}`;
/** In microseconds: systemd's word to an agent that it is watched, and started again. */
const supervised = { WATCHDOG_USEC: "2000000" };
const log = "/tmp/acknowledged-here";

/** Two nodes with pools and armed guards, a client on the primary's host, and one of the pools. */
export async function partitionBed({ cut, agent, voters, commits }: Course): Promise<PartitionBed> {
  const hosts = [...names, ...(voters === 3 ? ["coord"] : [])].map((name) => ({ name, address: address(name) })); // prettier-ignore
  const lab = await testLab({ hosts });
  const { host } = { host: lab.host("srv127") };
  const program = `${host.nodePath} ${host.projectPath}/dist/castellan-failover.js`;
  const cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: names,
    pool: true,
    poolSettings: { failover_command: `'${program} %d %h %p %D %m %H %M %P %r %R'` },
  });
  const castellan = await installCastellan(cluster, { coordinatorHost: lab.host(voters === 3 ? "coord" : "srv129") }); // prettier-ignore
  for (const { name, host: node } of cluster.nodes) {
    const file = "/etc/castellan/agent.yaml";
    const document = parseDocument(await node.readFile(file));
    document.setIn(["guard", "selfFence"], { armed: true, afterMs: 5_000 });
    document.setIn(["guard", "rejoin"], "all");
    await castellan.killAgent(name);
    await node.writeFile(file, document.toString(), { mode: 0o644 });
    await castellan.startAgent(name, supervised);
    if (commits === "sync") {
      await cluster.sql(name, `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (${names.join(", ")})'`); // prettier-ignore
      await cluster.sql(name, "SELECT pg_reload_conf()");
    }
  }
  await castellan.connected(names);
  await castellan.cli(["cluster", "import", cluster.name]);
  await enforce(castellan, cluster.nodes);
  const here = await writeHere(cluster);
  const stopping = new AbortController();
  let firstAt: number | null = null;
  let isCut = false;
  const there = writeThere(cluster, stopping.signal, () => {
    if (isCut) firstAt ??= Date.now();
  });
  return {
    cluster,
    castellan,
    cut: async () => {
      if (agent === "dead") {
        await castellan.killAgent("srv127");
        await waitFor(async () => !(await castellan.cli(["status"])).stdout.includes("srv127 connected")); // prettier-ignore
      }
      if (cut === "all") await host.cutLink();
      else await host.nft(`table netdev cut {\nchain c {\ntype filter hook ${cut === "incoming" ? "ingress" : "egress"} device eth0 priority 0; policy drop;\n}\n}\n`); // prettier-ignore
      isCut = true;
      if (agent === "restarted") {
        await castellan.killAgent("srv127");
        await castellan.startAgent("srv127", supervised);
      }
      return cut === "all" ? () => host.healLink() : () => host.nft("delete table netdev cut\n");
    },
    lastRowHere: async () => Number((await host.readFile(log)).trim().split("\n").at(-1)) || null,
    firstRowThere: () => firstAt,
    [Symbol.asyncDispose]: async () => {
      here.kill("SIGKILL");
      stopping.abort();
      await there;
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** By its own socket: whoever is on the side of the primary. */
async function writeHere(cluster: TestCluster) {
  const { host, paths, port } = cluster.node("srv127");
  const { database, osUser, superuser } = cluster.lane;
  const psql = `psql -X -q -h ${paths.socketDir} -p ${port} -U ${superuser} -d ${database}`;
  const row = `INSERT INTO ledger (id, note) VALUES ($((2000000 + n)), 'here')`;
  const script = `n=0; while :; do n=$((n + 1)); timeout 5 ${psql} -c "${row}" > /dev/null 2>&1 && date +%s%3N >> ${log}; sleep 0.05; done`; // prettier-ignore
  await host.writeFile(log, "", { owner: osUser });
  return host.spawn(["sh", "-c", script], {
    user: osUser,
    env: { PGPASSWORD: cluster.passwords.superuser },
  });
}

/** Row after row through whoever holds the virtual address; one that does not answer is given up. */
async function writeThere(
  cluster: TestCluster,
  signal: AbortSignal,
  onRow: () => void,
): Promise<void> {
  const { lab, pools } = cluster;
  if (pools === null) throw new Error("no pools");
  for (let id = 1_000_000; !signal.aborted; id += 1) {
    const written = (async (): Promise<boolean> => {
      const client = await openClient(lab, pools.login("app"));
      try {
        await client.query("INSERT INTO ledger (id, note) VALUES ($1, 'there')", [id]);
        return true;
      } finally {
        void client.end();
      }
    })().catch(() => false);
    if (await Promise.race([written, sleep(2_000, false)])) onRow();
    await sleep(100);
  }
}
