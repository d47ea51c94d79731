import type { LoadedCluster } from "../../ports.ts";
import { Failure } from "#shared/errors.ts";
import { noPreconditions } from "../add-node/plan/common.ts";
import type { AddNodeLimits } from "../add-node/situation.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import { attachSteps } from "../switchover/plan.ts";
import type { DrillSituation } from "./checks.ts";

const beforeMs = 3_000;
/** Sessions tell a pool at once; one that only learns of it by a patient health check may fail over later: docs/life.md. */
const afterMs = 20_000;
/** Under load a standby is never at zero: what is under way on a fast network. */
const caughtUpBytes = 1024 * 1024;

/** The fault of a standby while a client writes and reads through a pool; then, where asked, all as before. */
export function planDrill(
  { asked: name, kind, nodes, primaries: [primary], subject }: DrillSituation,
  restore: boolean,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
  { holdMs, stallMs }: AddNodeLimits,
): Plan {
  const managers = nodes.filter(({ declared }) => declared.pool !== null);
  // The pool of the node itself goes on without its database, but its host is not always spared.
  const client = managers.find((node) => node !== subject) ?? managers[0];
  const pool = client?.declared.pool ?? null;
  const { systemIdentifier = null, timeline = null } = primary?.facts?.database ?? {};
  if (primary === undefined || subject === null || client === undefined || pool === null || systemIdentifier === null) throw new Failure("INTERNAL", "preflight has let this pass"); // prettier-ignore
  const { name: node, address: host, port } = primary.declared;
  const { name: database, maintenanceUser: user } = cluster.declaration.database;
  const slot = subject.facts?.database.receiver?.slot ?? subject.declared.slot;
  const streams = {
    upstream: { node, host, port, user, database },
    applicationName: name,
    slot,
    lagLimitBytes: caughtUpBytes,
    stallMs,
  };
  const { dataDirectory } = subject.declared.paths;
  const back: readonly PlanStep[] = [
    {
      id: `start-database/${name}`,
      phase: "start",
      title: `Start ${name} as the standby that it was`,
      preview: [],
      on: name,
      kind: "start-database",
      args: { dataDirectory, stallMs },
      preconditions: noPreconditions,
    },
    {
      id: `prove-streaming/${name}`,
      phase: "verify",
      title: `See ${name} stream from ${node}, at most 1 MB behind`,
      preview: [],
      on: name,
      kind: "prove-streaming",
      args: streams,
      preconditions: noPreconditions,
    },
    ...attachSteps([subject], { nodes, holdMs }),
  ];
  return {
    declaration: cluster.declaration,
    declarationHash: cluster.hash,
    checks,
    forecast: null,
    premise: { primary: node, systemIdentifier, timeline },
    steps: [
      {
        id: `drill/${name}`,
        phase: "drill",
        title: `${kind === "kill" ? "Kill" : "Stop"} ${name} while a client writes and reads through the pool of ${client.declared.name}`,
        preview: [
          `${client.declared.name}: numbered rows into a table castellan_drill_OPERATION, and reads, for ${(beforeMs + afterMs) / 1000} s`,
          `${name}: seen to stream from ${node}, at most 1 MB behind; then ${kind === "kill" ? "SIGKILL of its postmaster" : "a fast stop"}`,
          `${client.declared.name}: which acknowledged rows are there; DROP TABLE`,
        ],
        on: null,
        kind: "drill",
        args: {
          node: name,
          fault: kind === "kill" ? "kill-standby" : "stop-standby",
          client: client.declared.name,
          pool: { host: client.declared.address, port: pool.port, user, database },
          streams,
          beforeMs,
          afterMs,
          stallMs,
        },
      },
      ...(restore ? back : []),
    ],
    reserves: [
      { node: name, classes: ["database", "role", "pool-row"] },
      ...managers
        .filter((one) => one !== subject)
        .map(({ declared }) => ({ node: declared.name, classes: ["pool-row" as const] })),
    ],
    notes: restore
      ? []
      : [`${name} is left as the fault leaves it: its guard starts it where it is in charge, else castellan cluster start ${cluster.declaration.name}.`], // prettier-ignore
  };
}
