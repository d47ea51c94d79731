import type { CommandArgs } from "#shared/domain/commands.ts";
import type { LoadedCluster } from "../../ports.ts";
import { Failure } from "#shared/errors.ts";
import type { AddNodeLimits, KnownNode } from "../add-node/situation.ts";
import type { PlanStep, PoolAttachment } from "../plan.ts";
import type { DrillSituation } from "./checks.ts";

const beforeMs = 3_000;
/** Sessions tell a pool at once; one that only learns of it by a patient health check may fail over later: docs/life.md. */
const afterMs = 20_000;
/** Under load a standby is never at zero: what is under way on a fast network. */
export const caughtUpBytes = 1024 * 1024;

type Fault = {
  readonly victim: KnownNode;
  readonly primary: KnownNode;
  /** Seen to have caught up right before it. */
  readonly standbys: readonly KnownNode[];
  readonly attachment?: PoolAttachment;
};

/** A client of the pool writes and reads, and in the middle of it the node fails. */
export function faultStep(
  { victim, primary, standbys, attachment }: Fault,
  { kind, nodes }: Pick<DrillSituation, "kind" | "nodes">,
  { declaration }: LoadedCluster,
  { stallMs }: Pick<AddNodeLimits, "stallMs">,
): PlanStep {
  const managers = nodes.filter(({ declared }) => declared.pool !== null);
  // The pool of the node itself goes on without its database, but its host is not always spared.
  const client = managers.find((node) => node !== victim) ?? managers[0];
  const pool = client?.declared.pool ?? null;
  if (client === undefined || pool === null) throw new Failure("INTERNAL", "preflight has let this pass"); // prettier-ignore
  const { name } = victim.declared;
  const { name: node } = primary.declared;
  const { name: database, maintenanceUser: user } = declaration.database;
  const names = standbys.map(({ declared }) => declared.name).join(", ");
  const role = victim === primary ? "primary" : "standby";
  return {
    id: `drill/${name}`,
    phase: "drill",
    title: `${kind === "kill" ? "Kill" : "Stop"} ${victim === primary ? "the primary " : ""}${name} while a client writes and reads through the pool of ${client.declared.name}`,
    preview: [
      `${client.declared.name}: numbered rows into a table castellan_drill_OPERATION, and reads, for ${(beforeMs + afterMs) / 1000} s`,
      `${names}: seen to stream from ${node}, at most 1 MB behind; then ${kind === "kill" ? "SIGKILL of the postmaster" : "a fast stop"} on ${name}`,
      ...(victim === primary ? ["the pools call castellan-failover, which promotes the standby that has most"] : []), // prettier-ignore
      `${client.declared.name}: which acknowledged rows are there; DROP TABLE`,
    ],
    on: null,
    kind: "drill",
    args: {
      node: name,
      fault: `${kind}-${role}`,
      client: client.declared.name,
      pool: { host: client.declared.address, port: pool.port, user, database },
      streams: standbys.map((standby) => ({
        on: standby.declared.name,
        args: streamsFrom(primary, standby, declaration, stallMs),
      })),
      ...(attachment === undefined ? {} : { attachment }),
      beforeMs,
      afterMs,
      stallMs,
    },
  };
}

export function streamsFrom(
  primary: KnownNode,
  { declared, facts }: KnownNode,
  { database: { name: database, maintenanceUser: user } }: LoadedCluster["declaration"],
  stallMs: number,
): CommandArgs<"prove-streaming"> {
  const { name: node, address: host, port } = primary.declared;
  return {
    upstream: { node, host, port, user, database },
    applicationName: declared.name,
    slot: facts?.database.receiver?.slot ?? declared.slot,
    lagLimitBytes: caughtUpBytes,
    stallMs,
  };
}
