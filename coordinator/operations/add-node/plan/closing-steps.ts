import { addToSyncList, parseSyncList } from "#shared/domain/sync-list.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import { addNodeToYaml } from "../../../cluster-file/add-node-to-yaml.ts";
import type { PlanStep } from "../../plan.ts";
import { setting, type Situation } from "../situation.ts";
import { linesOf, noPreconditions, type PlanContext, samePrimary, stillStandby } from "./common.ts";

/** The new node becomes like the others: synchronous if they are, in their regime, read from, declared. */
export function closingSteps(context: PlanContext): readonly PlanStep[] {
  return [
    ...synchronousSteps(context),
    joinRegimeStep(context),
    ...guardModeSteps(context),
    ...proveReadsSteps(context),
    declareStep(context),
  ];
}

function synchronousSteps(context: PlanContext): readonly PlanStep[] {
  const { primary, situation } = context;
  const expected = setting(primary, "synchronous_standby_names") ?? "";
  const { name: node } = situation.newcomer.declared;
  if (parseSyncList(expected).kind !== "list") return [];
  const value = addToSyncList(expected, node);
  if (value === expected) return [];
  const { name } = primary.declared;
  return [
    {
      id: `set-synchronous-list/${name}`,
      phase: "synchronous",
      title: `Add ${node} to the synchronous standbys on ${name}`,
      preview: [
        `-synchronous_standby_names = '${expected}'`,
        `+synchronous_standby_names = '${value}'`,
      ],
      on: name,
      kind: "set-synchronous-list",
      args: { value, expected },
      preconditions: samePrimary(context),
    },
  ];
}

function joinRegimeStep(context: PlanContext): PlanStep {
  const { situation } = context;
  const { name, paths } = situation.newcomer.declared;
  const { vendor } = situation.product;
  const { vendorInCharge } = situation;
  const vendorLines =
    vendor === null
      ? []
      : [
          vendorInCharge
            ? `${vendor.cronFile}: its own line ${vendor.nodeCheck(paths.binDirectory)}, active as on the other nodes; ${vendor.runFlagFile} is 0`
            : `${vendor.cronFile}: its own line ${vendor.nodeCheck(paths.binDirectory)}, commented out`,
        ];
  return {
    id: `join-regime/${name}`,
    phase: "regime",
    title: `Hand ${name} over to the cluster's regime`,
    preview: [...vendorLines, `${paths.dataDirectory} is no longer marked as incomplete`],
    on: name,
    kind: "join-regime",
    args: { dataDirectory: paths.dataDirectory, vendorInCharge },
    preconditions: stillStandby(context),
  };
}

/** Once the vendor's line there is commented, not before. */
function guardModeSteps({ situation }: PlanContext): readonly PlanStep[] {
  const { name } = situation.newcomer.declared;
  if (!situation.guardInCharge) return [];
  return [
    {
      id: `set-guard-mode/${name}`,
      phase: "regime",
      title: `Put the guard of ${name} into mode enforce, as on the other nodes`,
      preview: [],
      on: name,
      kind: "set-guard-mode",
      args: { mode: "enforce", by: situation.request.requestedBy || "node add" },
      preconditions: noPreconditions,
    },
  ];
}

function proveReadsSteps({ situation }: PlanContext): readonly PlanStep[] {
  const { managers, newcomer, declaration, limits, registration } = situation;
  if (registration.way === "none") return [];
  const { name: node, address, port } = newcomer.declared;
  const { name: database, maintenanceUser: user } = declaration.database;
  return managers.flatMap(({ declared }): readonly PlanStep[] => {
    if (declared.pool === null) return [];
    return [
      {
        id: `prove-reads/${declared.name}`,
        phase: "proof",
        title: `See ${node} answer a read through the pool of ${declared.name}`,
        preview: [`SELECT inet_server_addr() through ${declared.address}:${declared.pool.port}`],
        on: declared.name,
        kind: "prove-reads",
        args: {
          pool: { host: declared.address, port: declared.pool.port, user, database },
          nodeAddress: address,
          nodePort: port,
          stallMs: limits.stallMs,
        },
        preconditions: noPreconditions,
      },
    ];
  });
}

function declareStep({ situation }: PlanContext): PlanStep {
  const node = situation.newcomer.declared;
  return {
    id: "declare-node",
    phase: "declare",
    title: `Write ${node.name} into ${situation.declaration.name}.yaml`,
    preview: declarePreview(situation),
    on: null,
    kind: "declare-node",
    args: { node },
  };
}

function declarePreview({ declarationFile: path, declarationYaml, newcomer }: Situation) {
  const edited = addNodeToYaml(path, declarationYaml, newcomer.declared);
  return linesOf(unifiedDiff(declarationYaml, edited, { path }));
}
