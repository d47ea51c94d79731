import type { HelperSettings } from "./helper-settings.ts";

/**
 * Everything that can be asked of root, with the part of the settings that it needs: without it the verb isn't offered
 * on a host. The sudoers line names exactly these words.
 */
const verbNeeds = {
  verbs: null,
  door: "pool",
  "door-sweep": "pool",
  "pool-status": "pool",
  "pool-reload": "pool",
  "pool-start": "pool",
  "pool-stop": "pool",
  "vip-status": "vip",
  "vip-probe": "vip",
  "vip-add": "vip",
  "vip-drop": "vip",
  "cron-read": "cron",
  "cron-install-node-line-commented": "cron",
  "cron-install-node-line-active": "cron",
  "cron-remove-node-line": "cron",
  "cron-comment": "cron",
  "cron-restore": "cron",
} as const satisfies Record<string, "pool" | "cron" | "vip" | null>;

export type VerbName = keyof typeof verbNeeds;
export const verbNames = Object.keys(verbNeeds) as readonly VerbName[]; // the keys of the map above

export function isVerb(name: string): name is VerbName {
  return Object.hasOwn(verbNeeds, name);
}

/** What this host offers; holding the door also takes a packet filter. */
export function offeredVerbs(settings: HelperSettings, hasFilter: boolean): readonly VerbName[] {
  return verbNames.filter((name) => {
    const needs = verbNeeds[name];
    if (name === "door" && !hasFilter) return false;
    // What can't be started again is not stopped.
    if ((name === "pool-start" || name === "pool-stop") && settings.pool?.start == null)
      return false;
    return needs === null || settings[needs] !== null;
  });
}
