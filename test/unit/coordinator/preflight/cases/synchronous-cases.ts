import { changeSettings } from "../../world.ts";
import type { Case } from "./case.ts";

export const synchronousCases: readonly Case[] = [
  {
    check: "sync-list-named",
    when: "any standby may be the synchronous one",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "*" }),
    says: /base backup/,
  },
  {
    check: "sync-list-named",
    when: "the list can't be read",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "1 (a" }),
  },
  {
    check: "sync-list-without-newcomer",
    when: "commits would wait for the new node at once",
    status: "warn",
    edit: (world) =>
      changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129, srv159)" }),
  },
  {
    check: "sync-list-files",
    when: "the file has another list than is in force",
    status: "warn",
    options: { synchronous: "1 (srv129)" },
    edit: (world) =>
      changeSettings(world, "srv127", { synchronous_standby_names: "2 (srv129, x)" }),
  },
];
