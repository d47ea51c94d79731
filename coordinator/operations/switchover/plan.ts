import { hasSyncName, parseSyncList } from "#shared/domain/sync-list.ts";
import type { Upstream } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { LoadedCluster } from "../../ports.ts";
import { noPreconditions } from "../add-node/plan/common.ts";
import { printBytes } from "../add-node/print-units.ts";
import { setting, type KnownNode } from "../add-node/situation.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import { missingSlots } from "./checks.ts";
import { managersOf, rowOf, type SwitchoverSituation } from "./situation.ts";

/** All that can be done beforehand is: clients wait from the stop of the old primary until the new one takes writes. */
export function planSwitchover(
  situation: SwitchoverSituation,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
): Plan {
  const { nodes, successor, primaries } = situation;
  const [primary] = primaries;
  if (primary === undefined || successor === null) throw new Failure("INTERNAL", "preflight has let this pass"); // prettier-ignore
  const present = nodes.filter(({ agent }) => agent?.connected === true);
  return {
    declaration: cluster.declaration,
    declarationHash: cluster.hash,
    checks,
    forecast: null,
    steps: [
      ...slotSteps(successor, nodes),
      ...synchronousSteps(primary, successor),
      lagGate(primary, successor, situation),
      handOver(primary, successor, situation),
      ...leadSteps(primary, successor, situation),
      ...addressSteps(successor, situation),
      ...followSteps(successor, present),
      ...attachSteps(
        nodes.filter((node) => node !== successor),
        situation,
      ),
    ],
    noReturn: "hand-over",
    reserves: present.map(({ declared }) => ({
      node: declared.name,
      classes: ["database", "role", "vip", "sync", "pool-row"],
    })),
    notes: notesOf(primary),
  };
}

function slotSteps(successor: KnownNode, nodes: readonly KnownNode[]): readonly PlanStep[] {
  const on = successor.declared.name;
  return missingSlots(successor, nodes).map(({ declared }) => ({
    id: `create-slot/${on}/${declared.slot}`,
    phase: "slots",
    title: `Make slot ${declared.slot} on ${on}, holding nothing back, so that ${declared.name} can follow it`,
    preview: [],
    on,
    kind: "create-slot",
    args: { slot: declared.slot, forNode: declared.name, reserve: false, walBudgetBytes: null },
    preconditions: standby(successor),
  }));
}

/** In force on the successor before it takes a write: the former primary stands where it stood. */
function synchronousSteps(primary: KnownNode, successor: KnownNode): readonly PlanStep[] {
  const wanted = setting(primary, "synchronous_standby_names") ?? "";
  const { name } = successor.declared;
  const list = parseSyncList(wanted);
  const value =
    list.kind === "list" && hasSyncName(list, name)
      ? `${list.head}${list.names.map((one) => (one.toLowerCase() === name.toLowerCase() ? primary.declared.name : one)).join(", ")}${list.tail}` // prettier-ignore
      : wanted;
  const expected = setting(successor, "synchronous_standby_names") ?? "";
  if (value === expected) return [];
  return [
    {
      id: `set-synchronous-list/${name}`,
      phase: "synchronous",
      title: `Let commits on ${name} wait for the standbys that it will have`,
      preview: [`-synchronous_standby_names = '${expected}'`, `+synchronous_standby_names = '${value}'`], // prettier-ignore
      on: name,
      kind: "set-synchronous-list",
      args: { value, expected },
      preconditions: standby(successor),
    },
  ];
}

function lagGate(
  primary: KnownNode,
  successor: KnownNode,
  { declaration, lagLimitBytes, stallMs }: SwitchoverSituation,
): PlanStep {
  const { name, slot } = successor.declared;
  return {
    id: `prove-streaming/${name}`,
    phase: "verify",
    title: `See ${name} stream from ${primary.declared.name}, at most ${printBytes(lagLimitBytes)} behind`,
    preview: [],
    on: name,
    kind: "prove-streaming",
    args: {
      upstream: upstream(primary, declaration.database),
      applicationName: name,
      slot: successor.facts?.database.receiver?.slot ?? slot,
      lagLimitBytes,
      stallMs,
    },
    preconditions: standby(successor),
  };
}

function handOver(
  primary: KnownNode,
  successor: KnownNode,
  { stallMs }: SwitchoverSituation,
): PlanStep {
  const [from, to] = [primary.declared.name, successor.declared.name];
  return {
    id: "hand-over",
    phase: "hand-over",
    title: `Stop ${from} behind a standby marker, see ${to} replay its last record, promote ${to}`,
    preview: [
      `${from}: CHECKPOINT, standby marker, virtual address off, fast stop`,
      `${to}: promoted once it has replayed the shutdown checkpoint of ${from}`,
    ],
    on: null,
    kind: "hand-over",
    args: { from, to, timeline: primary.facts?.database.timeline ?? 1, stallMs },
  };
}

/** Clients of a pool wait until it knows. */
export function leadSteps(
  primary: KnownNode,
  successor: KnownNode,
  situation: Pick<SwitchoverSituation, "nodes" | "stallMs">,
): readonly PlanStep[] {
  const [from, to] = [rowOf(primary, situation), rowOf(successor, situation)];
  if (from === null || to === null) return [];
  return managersOf(situation).map(({ declared: { name } }) => ({
    id: `lead-pool/${name}`,
    phase: "hand-over",
    title: `Let the pool of ${name} take ${successor.declared.name} for the primary`,
    preview: [`pcp_detach_node -n ${from.id} at the leader, unless the pool fails over by itself`],
    on: name,
    kind: "lead-pool",
    args: { from, to, stallMs: situation.stallMs },
    preconditions: noPreconditions,
  }));
}

export function addressSteps(
  successor: KnownNode,
  { declaration }: Pick<SwitchoverSituation, "declaration">,
): readonly PlanStep[] {
  const address = declaration.virtualAddresses.database;
  const { name } = successor.declared;
  if (address === null) return [];
  return [
    {
      id: `take-address/${name}`,
      phase: "hand-over",
      title: `Put the virtual address ${address} on ${name}`,
      preview: [],
      on: name,
      kind: "take-address",
      args: {},
      preconditions: noPreconditions,
    },
  ];
}

export function followSteps(
  successor: KnownNode,
  present: readonly KnownNode[],
): readonly PlanStep[] {
  const { name: node, address: host, port } = successor.declared;
  return present
    .filter((one) => one !== successor)
    .map(({ declared }): PlanStep => ({
      id: `follow/${declared.name}`,
      phase: "follow",
      title: `Let ${declared.name} follow ${node}`,
      preview: [],
      on: declared.name,
      kind: "follow",
      args: { node, host, port },
      preconditions: noPreconditions,
    }));
}

/** Rows of nodes that a failover of the pool put down; one that is up stays as it is. */
export function attachSteps(
  nodes: readonly KnownNode[],
  situation: Pick<SwitchoverSituation, "nodes" | "holdMs">,
): readonly PlanStep[] {
  const managers = managersOf(situation);
  const pools = managers.flatMap(({ declared }) =>
    declared.pool === null ? [] : [{ node: declared.name, port: declared.pool.port }],
  );
  const holdDoor = managers.every(({ facts }) => facts?.host.rootHelperVerbs.includes("door"));
  return nodes.flatMap((node): readonly PlanStep[] => {
    const row = rowOf(node, situation);
    if (row === null) return [];
    return [
      {
        id: `attach-pool/${row.id}`,
        phase: "register",
        title: `See ${node.declared.name} (backend ${row.id}) up on every pool, attached where it is down`,
        preview: [],
        on: null,
        kind: "attach-pool",
        args: { row, pools, holdDoor, holdMs: situation.holdMs },
      },
    ];
  });
}

function upstream(
  { declared: { name, address, port } }: KnownNode,
  { name: database, maintenanceUser: user }: SwitchoverSituation["declaration"]["database"],
): Upstream {
  return { node: name, host: address, port, user, database };
}

function standby({ facts }: KnownNode) {
  const systemIdentifier = facts?.database.systemIdentifier ?? null;
  return { ...noPreconditions, systemIdentifier, role: "standby" as const };
}

function notesOf(primary: KnownNode): readonly string[] {
  const sessions = primary.facts?.database.clientSessions ?? 0;
  const { name } = primary.declared;
  return [
    `${sessions} client sessions on ${name} end when it stops; nobody can write until the new primary answers.`,
    "It can be taken back until the new primary is promoted; after that it only goes on.",
  ];
}
