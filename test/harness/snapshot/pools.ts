import { readFile } from "node:fs/promises";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { answerWithin } from "./answer-within.ts";

/** The backend rows as one node's pool has them in memory, and its status file. */
export async function poolEntries(
  { pools }: TestCluster,
  { name, host }: ClusterNode,
): Promise<Record<string, string>> {
  const pool = pools?.nodes.find((node) => node.name === name)?.pool;
  if (pools === null || pool === undefined) return {};
  const status = await readFile(host.path(pool.statusFile), "utf8").catch(() => null);
  const file = {
    [`pool status file ${pool.statusFile}`]:
      status === null ? "absent" : `there\n${status.trimEnd()}`,
  };
  if (!host.isUp()) return file;
  const rows = await answerWithin(10_000, () => pools.show(name));
  if (typeof rows === "string") return { ...file, pool: "does not answer" };
  return {
    ...file,
    pool: "answers",
    ...Object.fromEntries(
      rows.map((row) => {
        const word = (key: string): string => String(row[key]);
        // Not: counters, lag, times, which backend this very session was given, and a weight that is a share
        // of as many rows as there are.
        const place = `${word("node_id")} ${word("hostname")}:${word("port")}`;
        return [`pool row ${place}`, `${word("status")} ${word("role")}`];
      }),
    ),
  };
}
