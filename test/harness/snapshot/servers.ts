import { readdir } from "node:fs/promises";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { answerWithin } from "./answer-within.ts";

const sessions = `
  SELECT slot_name::text AS name, slot_type::text AS type, temporary, restart_lsn IS NOT NULL AS reserved,
    active, coalesce(r.application_name, '') AS owner
  FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid`;
const settings = `
  SELECT current_setting('synchronous_standby_names') AS standbys, pg_is_in_recovery() AS standby`;
const senders = `SELECT application_name::text AS name, client_addr::text AS address FROM pg_stat_replication`;

/** What a server has of ours: its slots, what streams from it, its role and its list of synchronous standbys. */
export async function serverEntries(
  cluster: TestCluster,
  node: ClusterNode,
): Promise<Record<string, string>> {
  const { host, name, paths } = node;
  if (!host.isUp() || !(await cluster.isRunning(name)))
    return { server: "down", ...(await slotFolders(node)) };
  const answer = await answerWithin(10_000, async () => ({
    slots: await cluster.sql(name, sessions),
    settings: await cluster.sql(name, settings),
    senders: await cluster.sql(name, senders),
  }));
  if (typeof answer === "string") {
    return { server: `runs and does not answer (${answer})`, ...(await slotFolders(node)) };
  }
  const role = answer.settings[0]?.["standby"] === true ? "a standby" : "a primary";
  return {
    server: `runs as ${role} of ${paths.dataDir}`,
    "synchronous standbys": String(answer.settings[0]?.["standbys"]),
    ...Object.fromEntries(
      answer.slots.map((slot) => [`slot ${String(slot["name"])}`, describeSlot(slot)]),
    ),
    ...Object.fromEntries(
      answer.senders.map((sender) => [
        `streams to ${String(sender["name"])}`,
        String(sender["address"]),
      ]),
    ),
  };
}

function describeSlot(slot: Readonly<Record<string, unknown>>): string {
  const owner = slot["owner"] === "" ? "nobody it says" : String(slot["owner"]);
  return [
    String(slot["type"]),
    slot["temporary"] === true ? "temporary" : "",
    slot["reserved"] === true ? "reserved" : "unreserved",
    slot["active"] === true ? `used by ${owner}` : "unused",
  ]
    .filter((word) => word !== "")
    .join(" ");
}

/** A server that is down has its slots on disk. */
async function slotFolders({ host, paths }: ClusterNode): Promise<Record<string, string>> {
  for (const folder of ["pg_replslot", "sys_replslot"]) {
    const names = await readdir(host.path(`${paths.dataDir}/${folder}`)).catch(() => null);
    if (names !== null) return Object.fromEntries(names.map((name) => [`slot ${name}`, "on disk"]));
  }
  return {};
}
