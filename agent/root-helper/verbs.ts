import {
  commentCron,
  installNodeLine,
  readCron,
  removeNodeLine,
  restoreCron,
} from "./cron-file.ts";
import { holdDoor, mostHeldMs, type DoorIo } from "./door.ts";
import { Failure } from "#shared/errors.ts";
import type { HelperSettings } from "./helper-settings.ts";
import { findPacketFilter } from "./packet-filter.ts";
import { poolStatus, reloadPool } from "./pool-process.ts";
import { startPool } from "./start-pool.ts";
import { stopPool } from "./stop-pool.ts";
import { offeredVerbs, type VerbName } from "./verb-names.ts";
import { vipAdd, vipDrop, vipProbe, vipStatus } from "./virtual-address.ts";

type VerbContext = {
  readonly settings: HelperSettings;
  readonly io: DoorIo;
  readonly sleep: (ms: number) => Promise<void>;
};

type Verb = (context: VerbContext) => string | Promise<string>;

/** What each verb does; the answer is printed. A missing or misspelt verb is a compile error. */
export const verbs: { readonly [K in VerbName]: Verb } = {
  /** The verbs that this host offers, one a line. */
  verbs: async ({ settings }) => {
    const filter = await findPacketFilter();
    return offeredVerbs(settings, typeof filter !== "string").join("\n");
  },
  /** Keeps clients' data out of the pool's ports for up to a second. */
  door: async (context) => {
    const filter = await findPacketFilter();
    if (typeof filter === "string") {
      context.io.print(`unavailable ${filter}`);
      throw new Failure("RESOURCE_MISSING", filter);
    }
    await holdDoor(filter, pool(context).ports, context.io);
    return "";
  },
  /** Removes the empty rules that a killed helper left behind. */
  "door-sweep": async ({ sleep, io }) => {
    const filter = await findPacketFilter();
    if (typeof filter === "string") return `nothing to sweep: ${filter}`;
    // What is still held is over after the longest time that a door can be held.
    const limit = io.now() + mostHeldMs + 500;
    while (!(await filter.sweep())) {
      if (io.now() > limit) throw new Failure("REFUSED", "another process keeps the door shut");
      await sleep(100);
    }
    return "swept";
  },
  "pool-status": (context) => poolStatus(pool(context)),
  "pool-reload": (context) => reloadPool(pool(context)),
  /** Only where none runs; what a dead one left in the way is removed first. */
  "pool-start": (context) => startPool(pool(context), context.sleep),
  /** Fast: sessions end, and a watchdog takes its virtual address off. */
  "pool-stop": (context) => stopPool(pool(context), context.sleep),
  "vip-status": (context) => vipStatus(vip(context)),
  "vip-probe": (context) => vipProbe(vip(context)),
  "vip-add": (context) => vipAdd(vip(context)),
  "vip-drop": (context) => vipDrop(vip(context)),
  "cron-read": (context) => readCron(cron(context)),
  "cron-install-node-line-commented": (context) =>
    installNodeLine(cron(context), context.settings.stateDirectory, true),
  "cron-install-node-line-active": (context) =>
    installNodeLine(cron(context), context.settings.stateDirectory, false),
  "cron-remove-node-line": (context) =>
    removeNodeLine(cron(context), context.settings.stateDirectory),
  "cron-comment": (context) => commentCron(cron(context), context.settings.stateDirectory),
  "cron-restore": (context) => restoreCron(cron(context), context.settings.stateDirectory),
};

function pool({ settings }: VerbContext): NonNullable<HelperSettings["pool"]> {
  if (settings.pool === null) throw new Failure("RESOURCE_MISSING", "no pool in the settings");
  return settings.pool;
}

function vip({ settings }: VerbContext): NonNullable<HelperSettings["vip"]> {
  if (settings.vip === null) {
    throw new Failure("RESOURCE_MISSING", "no virtual address in the settings");
  }
  return settings.vip;
}

function cron({ settings }: VerbContext): NonNullable<HelperSettings["cron"]> {
  if (settings.cron === null) throw new Failure("RESOURCE_MISSING", "no cron file in the settings");
  return settings.cron;
}
