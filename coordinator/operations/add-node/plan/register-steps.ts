import { appendToArray } from "#shared/config-files/ha-module-edit.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { BackendRow } from "#shared/domain/commands.ts";
import type { PlanStep } from "../../plan.ts";
import { type KnownNode, type Situation, textAt } from "../situation.ts";
import { appendBackendSteps } from "./backend-steps.ts";
import { linesOf, noPreconditions, type PlanContext } from "./common.ts";
import { plannedOn } from "./planned-files.ts";

/** The cluster learns of the new node: first the lists of the product's own machinery, then the pools. */
export function registerSteps(context: PlanContext): readonly PlanStep[] {
  const { situation } = context;
  const { registration } = situation;
  if (registration.way === "none") return haListSteps(situation);
  const { row } = registration;
  return [
    ...haListSteps(situation),
    ...(registration.way === "attach" ? [] : appendBackendSteps(situation, row)),
    ...attachSteps(situation, row),
  ];
}

/** KB_ALL_IP and ALL_NODE_NAME, on every node and in every copy. */
function haListSteps(situation: Situation): readonly PlanStep[] {
  const { vendor } = situation.product;
  if (vendor === null) return [];
  const { name: node, address } = situation.newcomer.declared;
  return [...situation.existing, situation.newcomer].map((known): PlanStep => {
    const { name, paths, pool } = known.declared;
    const files = [...vendor.haModuleFiles(paths, pool)];
    return {
      id: `register-ha-lists/${name}`,
      phase: "register",
      title: `Name ${node} in KB_ALL_IP and ALL_NODE_NAME on ${name}`,
      preview: files.flatMap((path) => haListPreview(known, path, node, address)),
      on: name,
      kind: "register-ha-lists",
      args: {
        files,
        node,
        address,
        // The new node's own copies are written by this very plan.
        ...(known === situation.newcomer ? {} : { planned: plannedOn(known, files) }),
      },
      preconditions: noPreconditions,
    };
  });
}

function haListPreview(
  known: KnownNode,
  path: string,
  node: string,
  address: string,
): readonly string[] {
  const text = textAt(known.facts, path);
  if (text === null) return [`${path}: KB_ALL_IP with ${address}, ALL_NODE_NAME with ${node}`];
  try {
    const edited = appendToArray(appendToArray(text, "KB_ALL_IP", address), "ALL_NODE_NAME", node);
    return linesOf(unifiedDiff(text, edited, { path }));
  } catch (error) {
    // A value that is no plain array: preflight refuses it, with its line.
    return [`${path}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** One attach, with every pool's door held, then read back on all of them. */
function attachSteps(situation: Situation, row: BackendRow): readonly PlanStep[] {
  const { managers, limits } = situation;
  const pools = managers.flatMap(({ declared }) =>
    declared.pool === null ? [] : [{ node: declared.name, port: declared.pool.port }],
  );
  const holdDoor = canHoldDoor(situation);
  return [
    {
      id: "attach-pool",
      phase: "register",
      title: `Attach backend ${row.id} (${row.applicationName}) on the pool's leader`,
      preview: [
        holdDoor
          ? `hold client data at port ${[...new Set(pools.map(({ port }) => port))].join(", ")} of every pool for at most ${limits.holdMs} ms`
          : "no packet filter to hold the door with: a session that sends a statement meanwhile reconnects once",
        `pcp_attach_node -n ${row.id}`,
      ],
      on: null,
      kind: "attach-pool",
      args: { row, pools, holdDoor, holdMs: limits.holdMs },
    },
    ...managers.map(({ declared }): PlanStep => ({
      id: `prove-backend/${declared.name}`,
      phase: "register",
      title: `See ${row.applicationName} up as a standby in the pool of ${declared.name}`,
      preview: [`show pool_nodes: ${row.id} ${row.hostname} ${row.port} up standby`],
      on: declared.name,
      kind: "prove-backend",
      args: { row, stallMs: limits.stallMs },
      preconditions: noPreconditions,
    })),
  ];
}

/** Only when every pool's host can: an attach is replicated to all of them at the same moment. */
export function canHoldDoor({ managers }: Situation): boolean {
  return managers.every((manager) => manager.facts?.host.rootHelperVerbs.includes("door"));
}
