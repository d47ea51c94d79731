import { hasSyncName, parseSyncList } from "#shared/domain/sync-list.ts";
import { activeSettings } from "../plan/node-settings.ts";
import { setting, type Situation } from "../situation.ts";
import { type Check, fail, nameOf, pass, warn } from "./check.ts";

const value = (s: Situation): string => setting(s.primary, "synchronous_standby_names") ?? "";
const name = (s: Situation): string | null => (s.primary === null ? null : nameOf(s.primary));

/** Whom the primary waits for. */
export const synchronousChecks: readonly Check[] = [
  {
    id: "sync-list-named",
    title: "Synchronous standbys are named",
    wanted: "a list of names, or none",
    applies: (s) => s.primary !== null,
    evaluate: (s) => {
      switch (parseSyncList(value(s)).kind) {
        case "none":
          return pass(name(s), "asynchronous");
        case "list":
          return pass(name(s), value(s));
        case "any":
          return fail(
            name(s),
            `synchronous_standby_names = '${value(s)}'`,
            "Name the standbys: with * our own base backup could become the synchronous standby, and commits wait for it.",
          );
        case "broken":
          return fail(
            name(s),
            `synchronous_standby_names = '${value(s)}'`,
            "Write it as N (name, name, …).",
          );
      }
    },
  },
  {
    id: "sync-list-without-newcomer",
    title: "Nobody waits for the new node before it is there",
    wanted: "its name in no list yet",
    applies: (s) => s.primary !== null,
    evaluate: (s) => {
      const list = parseSyncList(value(s));
      const node = nameOf(s.newcomer);
      if (list.kind !== "list" || !hasSyncName(list, node)) return pass(name(s), "not named");
      return warn(
        name(s),
        `${node} is in '${value(s)}'`,
        "From its first connection on commits may wait for it, while it still catches up.",
      );
    },
  },
  {
    id: "sync-list-files",
    title: "The list in force is the one in the files",
    wanted: "the same list",
    applies: (s) => s.primary !== null && value(s) !== "",
    evaluate: (s) => {
      if (s.primary === null) return [];
      const active = activeSettings(s.primary, s.product.files.autoConf);
      const inFiles = active.get("synchronous_standby_names");
      if (inFiles === undefined || inFiles === value(s)) return pass(name(s), value(s));
      return warn(
        name(s),
        `in force '${value(s)}', in the files '${inFiles}'`,
        "Reload, or correct the file: a restart would change who is waited for.",
      );
    },
  },
];
