import { Failure } from "#shared/errors.ts";
import type { LoadedCluster } from "../../ports.ts";
import { noPreconditions } from "../add-node/plan/common.ts";
import { printBytes } from "../add-node/print-units.ts";
import type { AddNodeLimits } from "../add-node/situation.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import type { SubjectSituation } from "../rebuild-node/subject-checks.ts";
import { attachSteps } from "../switchover/plan.ts";

/** The guard's own rejoin, asked for by a person; then the proof, and the rows of the pools. */
export function planRejoin(
  { nodes, primaries, subject }: SubjectSituation,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
  limits: AddNodeLimits,
): Plan {
  const [primary] = primaries;
  if (primary === undefined || subject === null) throw new Failure("INTERNAL", "preflight has let this pass"); // prettier-ignore
  const { name: node, address: host, port } = primary.declared;
  const { name, slot } = subject.declared;
  const { name: database, maintenanceUser: user } = cluster.declaration.database;
  const { lagLimitBytes, stallMs } = limits;
  const steps: readonly PlanStep[] = [
    {
      id: `rejoin/${name}`,
      phase: "follow",
      title: `Bring ${name} back as a standby of ${node}, with a rewind where it has WAL of its own`,
      preview: [
        "standby marker; a clean stop, or the recovery after a crash, out of reach of clients",
        "segments from the fork on to diverged-wal/ of the agent's state directory",
        `CHECKPOINT on ${node}, a dry run of the rewind, the rewind; own configuration and hba come back`,
      ],
      on: name,
      kind: "rejoin",
      args: { node, host, port },
      preconditions: noPreconditions,
    },
    {
      id: `prove-streaming/${name}`,
      phase: "verify",
      title: `See ${name} stream from ${node}, at most ${printBytes(lagLimitBytes)} behind`,
      preview: [],
      on: name,
      kind: "prove-streaming",
      args: { upstream: { node, host, port, user, database }, applicationName: name, slot, lagLimitBytes, stallMs }, // prettier-ignore
      preconditions: { ...noPreconditions, role: "standby" },
    },
    ...attachSteps([subject], { nodes, holdMs: limits.holdMs }),
  ];
  const managers = nodes.filter(({ declared }) => declared.pool !== null && declared.name !== name);
  return {
    declaration: cluster.declaration,
    declarationHash: cluster.hash,
    checks,
    forecast: null,
    steps,
    noReturn: `rejoin/${name}`,
    reserves: [
      { node: name, classes: ["database", "role", "pool-row"] },
      ...managers.map(({ declared }) => ({ node: declared.name, classes: ["pool-row" as const] })),
    ],
    notes: [
      `What ${name} has written and ${node} has not is lost to the cluster; it is kept as WAL, to be read with pg_waldump.`,
      `Where no rewind can help it says so before anything is changed: then castellan node rebuild ${cluster.declaration.name} ${name}.`,
    ],
  };
}
