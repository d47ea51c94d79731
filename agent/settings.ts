import * as z from "zod";
import { mostIncludedFiles } from "#shared/config-files/server-conf-files.ts";
import { commandKinds, type CommandKind } from "#shared/domain/commands.ts";
import { NodePaths, PoolKind, PoolPaths, ProductId } from "#shared/domain/cluster.ts";
import { AbsolutePath, Address, Identifier, Name, Port } from "#shared/domain/names.ts";
import { DiskSettings, Schedules, SiteChecks, TrustAddresses } from "./checks/check-settings.ts";
import { defaultSlotLimits, type SlotLimits } from "./decide/slot-limits.ts";
import { defaultPolicy, type RejoinPolicy, type RestartPolicy } from "./decide/policy.ts";

const Bytes = z.int().positive();
const Restart: z.ZodType<RestartPolicy> = z.enum(["never", "standbys", "all"]);
const Rejoin: z.ZodType<RejoinPolicy> = z.enum(["never", "standbys", "all"]);

/** With the product's own files still less than the coordinator keeps baselines of. */
const mostSettableIncludedFiles = 900;

/** May be left out, whole or in part: files written by earlier versions have none of it. */
const SlotLimitSettings: z.ZodType<SlotLimits> = z
  .strictObject({
    budgetBytes: Bytes.default(defaultSlotLimits.budgetBytes),
    reserveBytes: Bytes.default(defaultSlotLimits.reserveBytes),
    worthBytes: Bytes.default(defaultSlotLimits.worthBytes),
    checkpointBytesPerSecond: Bytes.default(defaultSlotLimits.checkpointBytesPerSecond),
    checkpointMarginMs: z.int().positive().default(defaultSlotLimits.checkpointMarginMs),
    idleBytes: Bytes.default(defaultSlotLimits.idleBytes),
    archiveBacklogBytes: Bytes.default(defaultSlotLimits.archiveBacklogBytes),
  })
  .prefault({});

/**
 * agent.yaml: what this host allows, whatever a coordinator says. Written by `castellan-agent join`,
 * edited by the site, never by the coordinator.
 */
export const AgentSettings = z.strictObject({
  node: Name,
  coordinator: z.strictObject({
    /** wss://HOST:PORT/agent */
    url: z.url({ protocol: /^wss$/ }),
    /** The coordinator's own certificate (PEM), pinned at join. */
    certificateFile: AbsolutePath,
    /** Per-agent secret made at join; 0600. */
    secretFile: AbsolutePath,
  }),
  stateDirectory: AbsolutePath,
  product: ProductId,
  paths: NodePaths,
  database: z.strictObject({
    /** Address or socket directory for our own SQL on this host. */
    host: z.string(),
    port: Port,
    name: Identifier,
    user: Identifier,
  }),
  pool: PoolPaths.extend({
    kind: PoolKind.exclude(["none"]),
    /** pcp login; its password is the secret `pcp`. */
    pcpUser: Identifier,
    pcpHost: Address,
    binDirectory: AbsolutePath,
  }).nullable(),
  /** How the root helper is called, e.g. sudo -n NODE castellan-root.js; null where it is not installed. */
  rootHelper: z.array(z.string().min(1)).min(1).nullable(),
  start: z.discriminatedUnion("mode", [
    z.strictObject({ mode: z.literal("ctl") }),
    z.strictObject({
      mode: z.literal("unit"),
      unit: z.string().regex(/^[A-Za-z0-9@._-]+\.service$/),
    }),
  ]),
  allow: z.strictObject({
    /** Files and directories that may be written: the path itself or anything below it. */
    paths: z.array(AbsolutePath),
    /** Directories whose programs may be run. */
    programs: z.array(AbsolutePath),
    verbs: z.array(z.enum(commandKinds as readonly [CommandKind, ...CommandKind[]])), // non-empty by its map
  }),
  guard: z.strictObject({
    /** Of files written by earlier versions; the mode is what `castellan guard` last said. */
    mode: z.literal("observe").optional(),
    /** Which dead databases the guard starts again when it is in charge. */
    restart: Restart.default(defaultPolicy.restart),
    /** Which nodes whose WAL went another way than the new primary's it rewinds. */
    rejoin: Rejoin.default(defaultPolicy.rejoin),
    /** Of WAL that a rewind would throw away: so much is kept at most; with more there is no rewind. */
    divergedWalBytes: Bytes.default(defaultPolicy.divergedWalBytes),
    attachWithinBytes: Bytes.default(defaultPolicy.attachWithinBytes),
    stopOnDiskFailure: z.boolean().default(defaultPolicy.stopOnDiskFailure),
    selfFence: z
      .strictObject({
        armed: z.boolean().default(defaultPolicy.selfFence.armed),
        afterMs: z.int().min(5_000).default(defaultPolicy.selfFence.afterMs),
      })
      .prefault({}),
    actions: z
      .strictObject({
        most: z.int().positive().default(defaultPolicy.actions.most),
        withinMs: z.int().positive().default(defaultPolicy.actions.withinMs),
      })
      .prefault({}),
    /** node-cron expressions of the periodic checks. */
    schedules: Schedules,
    disk: DiskSettings,
    /** Of hosts that answer as long as the network of this one is sound; those that its files name where it is empty. */
    trustAddresses: TrustAddresses,
    /** The site's own (docs/checks.md). */
    checks: SiteChecks,
    /** What WAL slots may hold back here, and when that is said or ended. */
    slots: SlotLimitSettings,
  }),
  limits: z.strictObject({
    observeEveryMs: z.int().positive(),
    reconnectFirstMs: z.int().positive(),
    reconnectMostMs: z.int().positive(),
    watchedFileBytes: z.int().positive(),
    /** Files that the server's configuration includes; more are not watched, which is an alert. */
    includedFiles: z
      .int()
      .min(mostIncludedFiles)
      .max(mostSettableIncludedFiles)
      .default(mostIncludedFiles),
    /** Former contents of each watched file that are kept on this host, and how much they may be together. */
    keptFileVersions: z.int().positive().default(20),
    keptFileBytes: Bytes.default(128 * 1024 * 1024),
    /** Finished commands kept to answer a repeated id. */
    keptResults: z.int().positive(),
    /** After a longer standstill of the agent a command that had not begun its effect is asked for again. */
    standstillMs: z.int().positive().default(10_000),
  }),
});
export type AgentSettings = z.infer<typeof AgentSettings>;

export const defaultGuard: AgentSettings["guard"] = {
  ...defaultPolicy,
  schedules: Schedules.parse({
    rehash: "*/30 * * * * *",
    host: "*/30 * * * * *",
    guard: "*/10 * * * * *",
  }),
  disk: DiskSettings.parse({}),
  trustAddresses: [],
  checks: [],
  slots: defaultSlotLimits,
};

export const defaultLimits: AgentSettings["limits"] = {
  observeEveryMs: 2_000,
  reconnectFirstMs: 100,
  // After an outage alerts wait for it. Fifty agents that try so often are some thirty connections a second.
  reconnectMostMs: 2_000,
  watchedFileBytes: 10 * 1024 * 1024,
  includedFiles: mostIncludedFiles,
  keptFileVersions: 20,
  keptFileBytes: 128 * 1024 * 1024,
  keptResults: 500,
  standstillMs: 10_000,
};
