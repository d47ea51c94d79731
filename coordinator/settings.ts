import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { isAbsolute, join } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import * as z from "zod";
import { AbsolutePath, Address, Port } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import { SinksSettings } from "./alerts/sink-settings.ts";
import { defaultAddNodeLimits } from "./operations/add-node/situation.ts";
import { defaultKeptFileVersions } from "./store/file-records.ts";

const Milliseconds = z.int().positive();
const Bytes = z.int().positive();

/** settings.yaml in the state directory: every key may be left out. */
const SettingsFile = z.strictObject({
  /** Where agents connect to; port 0 takes a free one (tests). */
  listen: z
    .strictObject({
      address: Address.default("0.0.0.0"),
      port: z.int().min(0).max(65_535).default(7300),
    })
    .prefault({}),
  /** Host and port as agents reach them, for the line that joins an agent; else the host's own name. */
  advertise: z
    .strictObject({ address: Address, port: Port.nullable().default(null) })
    .nullable()
    .default(null),
  /** Folder of NAME.yaml declarations. */
  clustersDirectory: AbsolutePath.nullable().default(null),
  logLevel: z.enum(["error", "warn", "info", "debug"]).default("info"),
  heartbeat: z
    .strictObject({
      everyMs: Milliseconds.default(2_000),
      lostAfterMs: Milliseconds.default(6_000),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** A connected agent must say hello within this. */
      helloMs: Milliseconds.default(5_000),
      /** How long a second agent of a node waits for the first one to show that it lives. */
      claimProbeMs: Milliseconds.default(2_000),
      /** An agent that stays away longer is an alert. */
      awayAlertMs: Milliseconds.default(10_000),
      /** How long a step waits for its agent to come back before it counts as failed. */
      agentWaitMs: Milliseconds.default(600_000),
      observeMs: Milliseconds.default(30_000),
      askMs: Milliseconds.default(60_000),
      /** A command must be begun within this after it was sent; it may then run for as long as it takes. */
      beginWithinMs: Milliseconds.default(600_000),
      /** Attempts of a step whose failure may be retried, with backoff in between. */
      attempts: z.int().min(1).max(100).default(4),
      /** New attempts after an agent's restart in the middle of a step. */
      interruptions: z.int().min(0).max(1_000).default(20),
      retryFirstMs: Milliseconds.default(500),
      retryMostMs: Milliseconds.default(10_000),
      keptEvents: z.int().min(1_000).default(100_000),
      /** Versions of each watched file that are kept, and the longest text that is kept with one. */
      keptFileVersions: z.int().min(2).default(defaultKeptFileVersions.versions),
      keptFileTextBytes: Bytes.default(defaultKeptFileVersions.textBytes),
      apiBodyBytes: z.int().positive().default(1_048_576),
      /** Bytes waiting to be read by an agent or a watcher before the link is given up. */
      sendBufferBytes: z.int().positive().default(33_554_432),
      agents: z.int().positive().default(500),
      /** Alerts that wait for one sink; beyond it the oldest are given up. */
      sinkQueue: z.int().min(10).max(100_000).default(1_000),
    })
    .prefault({}),
  /** Where alerts are sent, beside the log. */
  sinks: SinksSettings.default([]),
  addNode: z
    .strictObject({
      /** The most WAL that a new node's slot may hold back, for ever; less where the primary's disk is small. */
      walBudgetBytes: Bytes.default(defaultAddNodeLimits.walBudgetBytes),
      /** Of the space that is free for WAL on the primary, the part that a slot may take. */
      walShare: z.number().min(0.05).max(0.9).default(defaultAddNodeLimits.walShare),
      /** Long work is given up when it makes no progress for this long. */
      stallMs: Milliseconds.default(defaultAddNodeLimits.stallMs),
      lagLimitBytes: Bytes.default(defaultAddNodeLimits.lagLimitBytes),
      verifyTables: z.int().positive().default(defaultAddNodeLimits.verifyTables),
      /** The packet filter of a pool's host opens by itself after this. */
      holdMs: z.int().min(200).max(10_000).default(defaultAddNodeLimits.holdMs),
      assumedBytesPerSecond: Bytes.default(defaultAddNodeLimits.assumedBytesPerSecond),
    })
    .prefault({}),
});

export type CoordinatorSettings = Omit<z.infer<typeof SettingsFile>, "clustersDirectory"> & {
  readonly stateDirectory: string;
  readonly clustersDirectory: string;
};
export type CoordinatorLimits = CoordinatorSettings["limits"];

export type SettingsFlags = {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly clustersDirectory?: string | undefined;
};

export const defaultStateDirectory = "/var/lib/castellan";

/**
 * Reads STATE/settings.yaml (absent: all defaults). What the command line gives goes before it.
 * @throws Failure CONFIG_INVALID with file:line:column.
 */
export function loadSettings(
  stateDirectory: string,
  flags: SettingsFlags = {},
): CoordinatorSettings {
  if (!isAbsolute(stateDirectory)) {
    throw new Failure(
      "USAGE",
      `The state directory must be an absolute path, not ${stateDirectory}.`,
    );
  }
  const file = join(stateDirectory, "settings.yaml");
  const settings = parseSettings(file, readIfThere(file));
  return {
    ...settings,
    stateDirectory,
    listen: {
      address: flags.address ?? settings.listen.address,
      port: flags.port ?? settings.listen.port,
    },
    clustersDirectory:
      flags.clustersDirectory ?? settings.clustersDirectory ?? join(stateDirectory, "clusters"),
  };
}

function parseSettings(file: string, text: string): z.infer<typeof SettingsFile> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const broken = document.errors[0];
  if (broken !== undefined) {
    throw new Failure(
      "CONFIG_INVALID",
      `${at(broken.pos[0])}: ${broken.message.split("\n")[0] ?? ""}`,
    );
  }
  const parsed = SettingsFile.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path ?? [];
  const node = document.getIn(path, true) ?? document.contents;
  const offset = hasRange(node) ? node.range[0] : 0;
  throw new Failure(
    "CONFIG_INVALID",
    `${path.map(String).join(".") || "settings"}: ${issue?.message ?? "against the schema"} (${at(offset)}).`,
  );
}

function hasRange(node: unknown): node is { readonly range: readonly [number, number, number] } {
  return typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw new Failure("CONFIG_INVALID", `${file} can't be read.`, { cause: error });
  }
}

/** Host as agents reach this coordinator: what the site says, else the listening address or our name. */
export function advertisedHost(settings: CoordinatorSettings): string {
  if (settings.advertise !== null) return settings.advertise.address;
  const { address } = settings.listen;
  return address === "0.0.0.0" || address === "::" ? hostname() : address;
}
