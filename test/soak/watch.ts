import { Decision, type GuardStep } from "#shared/domain/guard.ts";
import { holders, nodes, primary, standbys, type Bed } from "./bed.ts";

/** What makes good again; everything else that a guard can do is harm to a node that is well. */
function mends(step: GuardStep): boolean {
  if (step.do === "synchronous") return step.notPromotable.length === 0;
  return step.do === "add-vip" || step.do === "attach-backend";
}

type Figures = {
  /** Begun on a healthy node, by what was done. */
  readonly destructive: Readonly<Record<string, number>>;
  /** What makes good again what the stalls themselves brought about. */
  readonly mending: Readonly<Record<string, number>>;
  readonly findings: Readonly<Record<string, number>>;
  /** What no guard should have let happen, each with its time. */
  readonly violations: readonly string[];
  readonly looks: number;
};

export type Watch = {
  /** One look at roles, processes and addresses, and at what the guards decided. */
  look(): Promise<void>;
  figures(): Figures;
};

export async function watch(bed: Bed): Promise<Watch> {
  const { cluster } = bed;
  const decisions = new Map<string, Decision>();
  const violations: string[] = [];
  const startedAt = new Map<string, string>();
  const poolPids = new Map<string, string>();
  let looks = 0;

  const violated = (what: string): void => {
    violations.push(`${new Date().toISOString()} ${what}`);
  };

  async function lookAtDatabase(node: string): Promise<void> {
    const rows = await cluster
      .sql(node, "SELECT pg_is_in_recovery() AS standby, pg_postmaster_start_time()::text AS since")
      .catch(() => []); // it is stalled, or on its way
    const [row] = rows;
    if (row === undefined) return;
    if (row["standby"] !== (node !== primary)) violated(`${node} changed its role`);
    const since = String(row["since"]);
    if ((startedAt.get(node) ?? since) !== since) violated(`${node} was started anew at ${since}`);
    startedAt.set(node, since);
  }

  async function lookAtPools(): Promise<void> {
    for (const { name, host, pool } of cluster.pools?.nodes ?? []) {
      const pid = /\d+/.exec(await host.readFile(pool.pidFile).catch(() => ""))?.[0] ?? "none";
      if ((poolPids.get(name) ?? pid) !== pid) violated(`the pool of ${name} is another process`);
      poolPids.set(name, pid);
    }
  }

  async function readDecisions(): Promise<void> {
    for (const node of nodes) {
      const { host } = cluster.node(node);
      const file = `${host.root}/var/lib/castellan-agent/decisions.jsonl`;
      if (!host.exists(file)) continue;
      for (const line of (await host.readFile(file)).split("\n")) {
        const parsed = Decision.safeParse(tryJson(line));
        if (parsed.success) decisions.set(parsed.data.id, parsed.data);
      }
    }
  }

  await readDecisions();
  const before = new Set(decisions.keys());
  return {
    look: async () => {
      looks += 1;
      await Promise.all(nodes.map(lookAtDatabase));
      await lookAtPools();
      const on = await holders(bed);
      if (on.join() !== primary) violated(`the virtual address is on ${on.join(" and ") || "no host"}`); // prettier-ignore
      if (looks % 10 === 0) await readDecisions();
    },
    figures: () => {
      const made = [...decisions.values()].filter(({ id }) => !before.has(id));
      const begun = made.filter(({ outcome }) => ["begun", "done", "failed"].includes(outcome));
      const harmful = begun.filter(({ steps }) => !steps.every(mends));
      const name = ({ node, rule, steps }: Decision): string =>
        `${node} ${rule}: ${steps.map((step) => step.do).join(" ")}`;
      return {
        destructive: count(harmful.map(name)),
        mending: count(begun.filter((one) => !harmful.includes(one)).map(name)),
        findings: count(
          made.filter(({ outcome }) => ["would", "held"].includes(outcome)).map(name),
        ),
        violations,
        looks,
      };
    },
  };
}

/** Both standbys stream when all stalls are over. */
export async function isWhole({ cluster }: Bed): Promise<boolean> {
  const rows = await cluster.sql(primary, "SELECT application_name AS name, state FROM pg_stat_replication"); // prettier-ignore
  return standbys.every((node) => rows.some((row) => row["name"] === node && row["state"] === "streaming")); // prettier-ignore
}

function count(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
