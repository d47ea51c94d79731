import { noPreconditions } from "../add-node/plan/common.ts";
import { printBytes } from "../add-node/print-units.ts";
import type { KnownNode } from "../add-node/situation.ts";
import type { PhaseId, Plan, PlanStep } from "../plan.ts";
import { managersOf } from "../switchover/situation.ts";
import { isFollower } from "./checks.ts";
import { declaredRow, isPresent, isRunning, namesOf, type ClusterSituation } from "./situation.ts";

export function stopPoolSteps(situation: ClusterSituation): readonly PlanStep[] {
  return presentManagers(situation).map(({ declared: { name } }) => ({
    id: `stop-pool/${name}`,
    phase: "stop",
    title: `Stop the pool of ${name}`,
    preview: ["castellan-root pool-stop"],
    on: name,
    kind: "stop-pool",
    args: {},
    preconditions: noPreconditions,
  }));
}

export function startPoolSteps(situation: ClusterSituation): readonly PlanStep[] {
  return presentManagers(situation).map(({ declared: { name } }) => ({
    id: `start-pool/${name}`,
    phase: "pools",
    title: `Start the pool of ${name}, and see it answer`,
    preview: ["castellan-root pool-start"],
    on: name,
    kind: "start-pool",
    args: {},
    preconditions: noPreconditions,
  }));
}

export function stopDatabasesStep(situation: ClusterSituation): PlanStep {
  const { nodes, primaries, stallMs } = situation;
  const [primary = null] = primaries;
  const rest = nodes.filter((node) => hasDatabase(node) && node !== primary);
  const followers = rest.filter((node) => isRunning(node) && isFollower(node, situation));
  const others = rest.filter((node) => !followers.includes(node));
  const names = (some: readonly KnownNode[]) => some.map(({ declared }) => declared.name);
  const first = primary === null ? "" : `${primary.declared.name} first, `;
  return {
    id: "stop-databases",
    phase: "stop",
    title: `Stop the databases: ${first}then ${namesOf(rest)}`,
    preview: [
      ...(primary === null ? [] : [`${primary.declared.name}: CHECKPOINT, virtual address off, fast stop`]), // prettier-ignore
      ...followers.map(({ declared }) => `${declared.name}: fast stop once it has replayed the primary's shutdown checkpoint`), // prettier-ignore
      ...others.map(({ declared, facts }) => `${declared.name}: fast stop (database ${facts?.database.status ?? "unknown"})`), // prettier-ignore
    ],
    on: null,
    kind: "stop-databases",
    args: {
      primary: primary?.declared.name ?? null,
      followers: names(followers),
      others: names(others),
      stallMs,
    },
  };
}

export function startPrimaryStep(
  { declared: { name } }: KnownNode,
  timeline: number,
  { stallMs }: ClusterSituation,
): PlanStep {
  return {
    id: `start-primary/${name}`,
    phase: "start",
    title: `Start ${name} as the primary of timeline ${timeline}`,
    preview: [],
    on: name,
    kind: "start-primary",
    args: { timeline, stallMs },
    preconditions: noPreconditions,
  };
}

export function startStandbyStep(
  { declared: { name, paths } }: KnownNode,
  { stallMs }: ClusterSituation,
): PlanStep {
  const { dataDirectory } = paths;
  return {
    id: `start-database/${name}`,
    phase: "start",
    title: `Start ${name} as a standby`,
    preview: [],
    on: name,
    kind: "start-database",
    args: { dataDirectory, stallMs },
    preconditions: noPreconditions,
  };
}

export function proveStreamingStep(
  { declared: { name, slot }, facts }: KnownNode,
  primary: KnownNode,
  situation: ClusterSituation,
): PlanStep {
  const { declaration, lagLimitBytes, stallMs } = situation;
  const { name: database, maintenanceUser: user } = declaration.database;
  const { name: node, address: host, port } = primary.declared;
  return {
    id: `prove-streaming/started/${name}`,
    phase: "verify",
    title: `See ${name} stream from ${node}, at most ${printBytes(lagLimitBytes)} behind`,
    preview: [],
    on: name,
    kind: "prove-streaming",
    args: {
      upstream: { node, host, port, user, database },
      applicationName: name,
      slot: facts?.database.receiver?.slot ?? slot,
      lagLimitBytes,
      stallMs,
    },
    preconditions: noPreconditions,
  };
}

export function takeAddressSteps(
  { declared: { name } }: KnownNode,
  { declaration }: ClusterSituation,
): readonly PlanStep[] {
  const address = declaration.virtualAddresses.database;
  if (address === null) return [];
  return [
    {
      id: `take-address/started/${name}`,
      phase: "pools",
      title: `Put the virtual address ${address} on ${name}`,
      preview: [],
      on: name,
      kind: "take-address",
      args: {},
      preconditions: noPreconditions,
    },
  ];
}

/** A pool keeps sessions to a server for its next clients: those to one that was restarted would end them. */
export function detachSteps(node: KnownNode, situation: ClusterSituation): readonly PlanStep[] {
  const row = declaredRow(node);
  if (row === null) return [];
  return presentManagers(situation).map(({ declared: { name } }) => ({
    id: `detach-backend/${row.id}/${name}`,
    phase: "restart",
    title: `Take ${node.declared.name} (backend ${row.id}) out of the pool of ${name}`,
    preview: [`pcp_detach_node -n ${row.id} at the leader`],
    on: name,
    kind: "detach-backend",
    args: { row, stallMs: situation.stallMs },
    preconditions: noPreconditions,
  }));
}

/** Also where a pool's status file says that a row was down when it was stopped: it streams by now. */
export function attachSteps(
  nodes: readonly KnownNode[],
  situation: ClusterSituation,
  phase: PhaseId = "register",
): readonly PlanStep[] {
  const managers = presentManagers(situation);
  const pools = managers.flatMap(({ declared }) =>
    declared.pool === null ? [] : [{ node: declared.name, port: declared.pool.port }],
  );
  if (pools.length === 0) return [];
  const holdDoor = managers.every(({ facts }) => facts?.host.rootHelperVerbs.includes("door"));
  return nodes.flatMap((node): readonly PlanStep[] => {
    const row = declaredRow(node);
    if (row === null) return [];
    return [
      {
        id: `attach-pool/started/${row.id}`,
        phase,
        title: `See ${node.declared.name} (backend ${row.id}) up on every pool, attached where it is down`,
        preview: [],
        on: null,
        kind: "attach-pool",
        args: { row, pools, holdDoor, holdMs: situation.holdMs },
      },
    ];
  });
}

/** From its start to its end nobody mends what it stops. */
export function reserved({ nodes }: ClusterSituation): Plan["reserves"] {
  return nodes.filter(isPresent).map(({ declared }) => ({
    node: declared.name,
    classes: ["database", "role", "vip", "sync", "pool", "pool-row"],
  }));
}

function presentManagers(situation: ClusterSituation): readonly KnownNode[] {
  return managersOf(situation).filter(isPresent);
}

/** One that is stopped is told all the same: it is to stay so. */
function hasDatabase({ facts }: KnownNode): boolean {
  return facts !== null && facts.database.status !== "absent";
}
