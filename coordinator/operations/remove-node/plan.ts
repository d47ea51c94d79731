import { bareAddress, singleAddressRange } from "#shared/domain/addresses.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import { withoutNode } from "#shared/config-files/without-node.ts";
import type { NodeEntry } from "#shared/domain/commands.ts";
import { removeFromSyncList } from "#shared/domain/sync-list.ts";
import { Failure } from "#shared/errors.ts";
import { productOf } from "#shared/products/product.ts";
import { removeNodeFromYaml } from "../../cluster-file/remove-node-from-yaml.ts";
import { ownUsers } from "../add-node/hba-rules.ts";
import { linesOf, noPreconditions } from "../add-node/plan/common.ts";
import { plannedOn } from "../add-node/plan/planned-files.ts";
import { setting, textAt, type KnownNode } from "../add-node/situation.ts";
import { hasActiveVendorLine } from "../add-node/vendor.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import { managersOf } from "../switchover/situation.ts";
import { rowOfSubject, type RemoveSituation } from "./situation.ts";

type Context = RemoveSituation & { readonly subject: KnownNode; readonly primary: KnownNode };

/**
 * Nobody waits for the node, then nobody reads from it, then it stops, then it is forgotten: at no moment does it stream
 * without being known, and its slots go last, so that whoever takes all this back finds its WAL.
 */
export function planRemove(situation: RemoveSituation, checks: readonly CheckResult[]): Plan {
  const context = contextOf(situation);
  const { subject, primary, cluster, request } = context;
  const { name } = subject.declared;
  const steps: readonly PlanStep[] = [
    ...synchronousSteps(context),
    ...detachSteps(context),
    ...(request.gone ? [] : stopSteps(context)),
    ...withdrawSteps(context),
    ...slotSteps(context),
    undeclareStep(context),
    ...(request.deleteData ? [deleteStep(subject)] : []),
  ];
  return {
    declaration: context.declaration,
    declarationHash: cluster.hash,
    checks,
    forecast: null,
    steps,
    noReturn: "undeclare-node",
    reserves: [
      ...(request.gone ? [] : [{ node: name, classes: ["database" as const, "role" as const] }]),
      ...managersOf(context).map(({ declared }) => ({
        node: declared.name,
        classes: ["pool-row" as const],
      })),
    ],
    notes: notesOf(context),
    premise: {
      primary: primary.declared.name,
      systemIdentifier: primary.facts?.database.systemIdentifier ?? "",
      timeline: primary.facts?.database.timeline ?? null,
    },
  };
}

function contextOf(situation: RemoveSituation): Context {
  const { subject } = situation;
  const [primary] = situation.primaries;
  if (subject === null || primary === undefined) {
    throw new Failure("INTERNAL", "a plan was asked for although preflight can't have passed");
  }
  return { ...situation, subject, primary };
}

function synchronousSteps({ primary, asked }: Context): readonly PlanStep[] {
  const expected = setting(primary, "synchronous_standby_names") ?? "";
  const value = removeFromSyncList(expected, asked);
  if (value === expected) return [];
  const { name } = primary.declared;
  return [
    {
      id: `set-synchronous-list/${name}`,
      phase: "synchronous",
      title: `Take ${asked} out of the synchronous standbys on ${name}`,
      preview: [
        `-synchronous_standby_names = '${expected}'`,
        `+synchronous_standby_names = '${value}'`,
      ],
      on: name,
      kind: "set-synchronous-list",
      args: { value, expected },
      preconditions: { ...noPreconditions, role: "primary" },
    },
  ];
}

function detachSteps(context: Context): readonly PlanStep[] {
  const known = rowOfSubject(context);
  if (known === null || !known.isUp) return [];
  const { row } = known;
  const managers = managersOf(context);
  const pools = managers.flatMap(({ declared }) =>
    declared.pool === null ? [] : [{ node: declared.name, port: declared.pool.port }],
  );
  const holdDoor = managers.every(({ facts }) => facts?.host.rootHelperVerbs.includes("door"));
  return [
    {
      id: `detach-pool/${row.id}`,
      phase: "detach",
      title: `Detach backend ${row.id} (${context.asked}) on every pool, and read it back`,
      preview: [`pcp_detach_node -n ${row.id}`],
      on: null,
      kind: "detach-pool",
      args: { row, pools, holdDoor, holdMs: context.limits.holdMs },
    },
  ];
}

/** Whatever would start it again is ended before it stops. */
function stopSteps({
  subject,
  others,
  limits,
  request,
  declaration,
}: Context): readonly PlanStep[] {
  const { name } = subject.declared;
  const { vendor } = productOf(declaration.product);
  const common = { on: name, phase: "stop", preconditions: noPreconditions } as const;
  const isCronActive = vendor !== null && hasActiveVendorLine(subject, vendor);
  const guard = subject.facts?.guard;
  const known = subject.facts?.database.slots.map((slot) => slot.name) ?? [];
  const slots = others.map(({ declared }) => declared.slot).filter((slot) => known.includes(slot));
  return [
    ...(isCronActive
      ? [
          {
            ...common,
            id: `take-over-cron/${name}`,
            title: `Comment the vendor's lines on ${name}, and wait until none of its scripts runs`,
            preview: [],
            kind: "take-over-cron" as const,
            args: {},
          },
        ]
      : []),
    ...((guard?.lasting ?? guard?.mode) === "enforce"
      ? [
          {
            ...common,
            id: `set-guard-mode/${name}`,
            title: `Put the guard of ${name} into mode observe`,
            preview: [],
            kind: "set-guard-mode" as const,
            args: { mode: "observe" as const, by: request.requestedBy || "node remove" },
          },
        ]
      : []),
    ...(slots.length > 0
      ? [
          {
            ...common,
            id: `drop-slots/${name}`,
            title: `Drop the slots of the others on ${name}`,
            preview: slots,
            kind: "drop-slots" as const,
            args: { slots, stallMs: limits.stallMs },
            preconditions: { ...noPreconditions, role: "standby" as const },
          },
        ]
      : []),
    {
      ...common,
      id: `stop-standby/${name}`,
      title: `Stop the database of ${name}, if it runs`,
      preview: [],
      kind: "stop-standby",
      args: { stallMs: limits.stallMs },
    },
  ];
}

function withdrawSteps(context: Context): readonly PlanStep[] {
  return context.others.flatMap((node): readonly PlanStep[] => {
    const { name } = node.declared;
    const entries = [...entriesOn(node, context)];
    if (entries.length === 0) return [];
    return [
      {
        id: `remove-entries/${name}`,
        phase: "withdraw",
        title: `Take ${context.asked} out of the files of ${name}`,
        preview: entries.flatMap((entry) => previewOf(node, entry)),
        on: name,
        kind: "remove-entries",
        args: { entries, planned: plannedOn(node, entries.map(({ file }) => file)) }, // prettier-ignore
        preconditions: noPreconditions,
      },
    ];
  });
}

function entriesOn(node: KnownNode, context: Context): readonly NodeEntry[] {
  const { subject, declaration, others, isOneHost } = context;
  const { address, name } = subject.declared;
  const { paths, pool } = node.declared;
  const client = singleAddressRange(bareAddress(address));
  // Another node's lines on the same host would go with it.
  const isShared = isOneHost || others.some(({ declared }) => declared.address === address);
  const users = [declaration.database.replicationUser, ...ownUsers({ declaration, product: productOf(declaration.product), like: context.primary })]; // prettier-ignore
  const known = rowOfSubject(context);
  const { vendor } = productOf(declaration.product);
  return [
    ...(client === null || isShared
      ? []
      : [{ of: "hba" as const, file: paths.hbaFile, address: client, users }]),
    ...(vendor?.haModuleFiles(paths, pool) ?? []).map((file) => ({
      of: "ha-lists" as const,
      file,
      node: name,
      address,
    })),
    ...(pool === null || known === null
      ? []
      : [{ of: "pool" as const, file: pool.configFile, row: known.row, isSpare: known.isSpare }]),
  ];
}

function previewOf(node: KnownNode, entry: NodeEntry): readonly string[] {
  const { file: path } = entry;
  const text = textAt(node.facts, path);
  if (text === null) return [`${path}: what names the node`];
  try {
    const diff = linesOf(unifiedDiff(text, withoutNode(text, entry), { path }));
    return diff.length === 0 ? [`${path} does not name it`] : diff;
  } catch (error) {
    // A value that is no plain list: the step stops at it, before the first edit.
    return [`${path}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function slotSteps({ others, subject, asked, limits }: Context): readonly PlanStep[] {
  const { slot } = subject.declared;
  return others.map(({ declared: { name } }): PlanStep => ({
    id: `drop-slots/${name}`,
    phase: "withdraw",
    title: `Drop slot ${slot} of ${asked} on ${name}, if it is there`,
    preview: [slot],
    on: name,
    kind: "drop-slots",
    args: { slots: [slot], stallMs: limits.stallMs },
    preconditions: noPreconditions,
  }));
}

function undeclareStep({ cluster, subject, declaration }: Context): PlanStep {
  const { file: path, yaml } = cluster;
  const left = removeNodeFromYaml(path, yaml, subject.declared.name);
  return {
    id: "undeclare-node",
    phase: "declare",
    title: `Take ${subject.declared.name} out of ${declaration.name}.yaml`,
    preview: linesOf(unifiedDiff(yaml, left, { path })),
    on: null,
    kind: "undeclare-node",
    args: { node: subject.declared, yaml },
  };
}

function deleteStep({ declared: { name, paths } }: KnownNode): PlanStep {
  const { dataDirectory } = paths;
  return {
    id: `delete-data/${name}`,
    phase: "delete",
    title: `Delete the data directory of ${name}`,
    preview: [`rm -r ${dataDirectory}`],
    on: name,
    kind: "delete-data",
    args: { dataDirectory },
    preconditions: noPreconditions,
  };
}

function notesOf(context: Context): readonly string[] {
  const { subject, request, declaration, asked } = context;
  const { dataDirectory } = subject.declared.paths;
  const known = rowOfSubject(context);
  const { vendor } = productOf(declaration.product);
  return [
    request.gone
      ? `--gone: nothing is done on ${asked}. If that host comes back, its database can't stream: no slot, no hba line. Its vendor's cron lines and its agent's guard are as they were there: stop them before it gets its network.`
      : request.deleteData
        ? `${dataDirectory} on ${asked} is deleted at the end; nobody can take that back.`
        : `The data stays on ${asked}, stopped, as a standby: ${dataDirectory}. node add wants that directory empty.`,
    ...(known === null
      ? []
      : known.isSpare
        ? [`Backend ${known.row.id} stays in every pool's file as a spare row, marked so: a higher number is in use, and rows are never renumbered.`] // prettier-ignore
        : [`The running pools keep backend ${known.row.id}, down, until their next restart; the same host and port get it again.`]), // prettier-ignore
    ...(context.isOneHost ? ["All addresses are of this one host: hba lines are for all nodes, and stay."] : []), // prettier-ignore
    ...(vendor === null || request.gone ? [] : [`The vendor's own files on ${asked} stay as they are.`]), // prettier-ignore
    "It can be taken back until the node is out of the declaration.",
  ];
}
