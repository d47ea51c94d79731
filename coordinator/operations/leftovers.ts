import type { AgentStep, CoordinatorStep, PlanStep } from "./plan.ts";
import type { CommandKind, UndoableKind } from "#shared/domain/commands.ts";
import { isUndoable } from "#shared/domain/commands.ts";
import type { ProductId } from "#shared/domain/cluster.ts";
import { productOf } from "#shared/products/product.ts";

type StepOf<K extends CommandKind> = Extract<AgentStep, { readonly kind: K }>;
type LocalStepOf<K extends CoordinatorStep["kind"]> = Extract<
  CoordinatorStep,
  { readonly kind: K }
>;

/** What may be left of a step that could not be taken back, and how a person takes it back. */
type Leftovers = {
  readonly [K in UndoableKind]: (step: StepOf<K>, product: ProductId) => string;
} & {
  readonly [K in CoordinatorStep["kind"]]: (step: LocalStepOf<K>, product: ProductId) => string;
};

const leftovers: Leftovers = {
  "open-hba": ({ on, args }) =>
    `${on}: lines in ${args.file} for ${args.rules.map((r) => r.address).join(", ")}: delete them, then reload the server`,
  "create-slot": ({ on, args }, product) =>
    `${on}: replication slot ${args.slot}: run there: ${productOf(product).dialect(90_600).dropSlot.replace("$1", `'${args.slot}'`)};`,
  "base-backup": ({ on, args }) =>
    `${on}: an unfinished copy in ${args.stagingDirectory}: make sure that no base backup runs, then: run there: rm -r ${args.stagingDirectory}`,
  "write-node-files": ({ on, args }) =>
    `${on}: files generated below ${args.stagingDirectory} and ${args.directories.join(", ")}`,
  "place-data-directory": ({ on, args }) =>
    `${on}: a data directory ${args.dataDirectory} of a node that was not added: make sure that no server runs on it, then: run there: rm -r ${args.dataDirectory}`,
  "start-database": ({ on, args }) =>
    `${on}: a running server on ${args.dataDirectory}: stop it (fast)`,
  "register-ha-lists": ({ on, args }) =>
    `${on}: ${args.node} (${args.address}) in KB_ALL_IP and ALL_NODE_NAME of ${args.files.join(", ")}: take it out`,
  "append-backend": ({ on, args }) =>
    `${on}: the rows backend_*${args.row.id} in ${args.file}: delete them, then reload the pool`,
  "hold-door": ({ on, args }) =>
    `${on}: nothing: the packet filter rule for port ${args.ports.join(", ")} ended by itself`,
  "release-door": ({ on }) => `${on}: nothing`,
  "attach-backend": ({ on, args }) =>
    `${on}: backend ${args.row.id} (${args.row.hostname}:${args.row.port}) may be attached: run there: pcp_detach_node -n ${args.row.id}`,
  "set-synchronous-list": ({ on, args }) =>
    `${on}: synchronous_standby_names = '${args.value}': set it back to '${args.expected}', then reload`,
  "join-regime": ({ on, args }) =>
    `${on}: cron line and run flag of the node on ${args.dataDirectory}: comment the line`,
  "restore-file": ({ on, args }) =>
    `${on}: ${args.path} as it was accepted: what stood there before is below previous/ in the agent's state directory`,
  "set-guard-mode": ({ on, args }) => `${on}: the guard's mode may be ${args.mode}`,
  "take-over-cron": ({ on }) =>
    `${on}: the vendor's cron lines may be commented: take the # away where its checks are to be in charge`,
  "hand-back-cron": ({ on }) =>
    `${on}: the vendor's cron lines may be active: comment them where the guard is in charge`,
  demote: ({ on }) =>
    `${on}: a stopped primary with a standby marker: castellan status says who leads, castellan guard confirm-primary opens it`,
  promote: ({ on }) => `${on}: may be the primary: castellan status`,
  follow: ({ on, args }) => `${on}: may be a standby of ${args.node}`,
  rejoin: ({ on, args }) =>
    `${on}: may be a standby of ${args.node}, or half rewound: castellan why ${on}`,
  "renew-slot": ({ on, args }) =>
    `${on}: slot ${args.slot} of ${args.forNode} may hold WAL back: drop it if ${args.forNode} does not stream`,
  "stop-standby": ({ on }) => `${on}: its database may be stopped: castellan status`,
  "kill-standby": ({ on }) => `${on}: its database may be stopped: castellan status`,
  "stop-primary": ({ on }) => `${on}: its database may be stopped: castellan status`,
  "kill-primary": ({ on }) => `${on}: its database may be stopped: castellan status`,
  "run-load": ({ on }) => `${on}: nothing here; a table castellan_drill_* may be left: drop it`,
  "keep-own-files": ({ on }) =>
    `${on}: recovery.done may lead to another primary: castellan drift list`,
  "swap-data-directory": ({ on }) =>
    `${on}: its data directory may be the one named .castellan-old: with the server stopped, rename it back`,
  "remake-slots": ({ on }) => `${on}: nothing: its slots go with the copy`,
  "drop-old-directory": ({ on }) =>
    `${on}: the data directory of before, named .castellan-old: remove it once ${on} streams`,
  "remove-entries": ({ on, args }) =>
    `${on}: its lines in ${args.entries.map(({ file }) => file).join(", ")} may be gone: what stood there before is below previous/ in the agent's state directory`,
  "drop-slots": ({ on, args }) =>
    `${on}: replication slots ${args.slots.join(", ")} may be gone: castellan node rebuild makes what the node needs`,
  "delete-data": ({ on, args }) =>
    `${on}: what is left of ${args.dataDirectory}, also under the name .castellan-old: remove it`,
  "lead-pool": ({ on, args }) => `${on}: backend ${args.from.id} of its pool may be detached`,
  "take-address": ({ on }) => `${on}: may have the virtual address`,
  "stop-pool": ({ on }) => `${on}: its pool may be stopped: castellan cluster start`,
  "start-pool": ({ on }) => `${on}: its pool may run`,
  "stop-database": ({ on }) => `${on}: its database may be stopped: castellan cluster start`,
  "start-primary": ({ on }) => `${on}: may run as the primary: castellan status`,
  "detach-backend": ({ on, args }) =>
    `${on}: backend ${args.row.id} (${args.row.hostname}:${args.row.port}) may be detached: run there: pcp_attach_node -n ${args.row.id}`,
  "restart-database": ({ on }) => `${on}: its database may be stopped: castellan cluster start`,
  "attach-pool": ({ args }) =>
    `${args.pools.map((p) => p.node).join(", ")}: backend ${args.row.id} (${args.row.hostname}:${args.row.port}) may be attached: run there: pcp_detach_node -n ${args.row.id}`,
  "hand-over": ({ args }) =>
    `${args.from}: may be stopped behind a standby marker, and ${args.to} may be the primary: castellan status; if ${args.to} is none: castellan guard confirm-primary ${args.from}`,
  "stop-databases": ({ args }) =>
    `${[...(args.primary === null ? [] : [args.primary]), ...args.followers, ...args.others].join(", ")}: may be stopped: castellan cluster start`,
  "detach-pool": ({ args }) =>
    `${args.pools.map((p) => p.node).join(", ")}: backend ${args.row.id} (${args.row.hostname}:${args.row.port}) may be detached: run there: pcp_attach_node -n ${args.row.id}`,
  "undeclare-node": ({ args }) =>
    `the declaration of ${args.node.name} may be missing in the cluster's file: write it back`,
  drill: ({ args }) =>
    `${args.node}: may be stopped: castellan cluster start; a table castellan_drill_* may be left: drop it`,
  "bring-back": ({ args }) => `${args.node}: castellan status`,
  "hand-back": ({ args }) => `${args.to}: may be the primary again: castellan status`,
  "declare-node": ({ args }) =>
    `the declaration of ${args.node.name} in the cluster's file: delete it`,
};

/** null for a step that makes nothing. */
export function leftoverOf(step: PlanStep, product: ProductId): string | null {
  if (step.on !== null && !isUndoable(step.kind)) return null;
  // The table has an entry for exactly these kinds; TypeScript can't follow kind and step together.
  const describe = leftovers[step.kind as keyof Leftovers] as (
    step: PlanStep,
    product: ProductId,
  ) => string;
  return describe(step, product);
}
