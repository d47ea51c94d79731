import { someArchiver } from "#test/unit/database-facts.ts";
import { slot } from "../../node-facts.ts";
import { changeDatabase, changeSettings } from "../../world.ts";
import type { Case } from "./case.ts";
import { pool } from "./edits.ts";

export const topologyCases: readonly Case[] = [
  {
    check: "database-running",
    when: "a database gives the agent no session",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv129", {
        status: "unreachable",
        problem: 'password authentication failed for user "postgres" (28P01)',
      }),
    says: /castellan-agent secret set database/,
  },
  {
    check: "one-primary",
    when: "two nodes are primaries",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv129", { role: "primary" }),
    says: /srv127, srv129/,
  },
  {
    check: "one-primary",
    when: "no node is primary",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv127", { role: "standby" }),
  },
  {
    check: "system-identifier",
    when: "a node belongs to another cluster",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv129", { systemIdentifier: "999" }),
  },
  {
    check: "timeline",
    when: "a standby missed a promotion",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv127", { timeline: 2 }),
  },
  {
    pitfall: "F7",
    check: "standby-streaming",
    when: "a standby does not stream",
    status: "fail",
    edit: (world) => changeDatabase(world, "srv127", { replication: [] }),
  },
  {
    check: "standby-streaming",
    when: "a standby streams under another name",
    status: "fail",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        replication: (world.facts.get("srv127")?.database.replication ?? []).map((row) => ({
          ...row,
          applicationName: "walreceiver",
        })),
      }),
    says: /application_name=srv129/,
  },
  {
    check: "standby-lag",
    when: "a standby is 256 MiB behind",
    status: "warn",
    edit: (world) => changeDatabase(world, "srv127", { position: "0/15000148" }),
  },
  {
    check: "standby-slot",
    when: "a standby streams without its slot",
    status: "warn",
    edit: (world) => changeDatabase(world, "srv127", { slots: [slot("slot_srv129", false, null)] }),
  },
  {
    check: "idle-slots",
    when: "a slot holds WAL back for nobody",
    status: "warn",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        slots: [slot("slot_srv129", true, "0/1"), slot("old", false, "0/1")],
      }),
    says: /old/,
  },
  {
    check: "standby-host",
    when: "a standby follows the virtual address",
    status: "warn",
    options: pool,
    edit: (world) =>
      changeDatabase(world, "srv129", {
        receiver: {
          status: "streaming",
          slot: "slot_srv129",
          conninfo: "host=192.168.4.200 port=5432 user=replicator",
          timeline: 1,
        },
      }),
  },
  {
    check: "timeline-latest",
    when: "a standby would not follow a promotion",
    status: "warn",
    edit: (world) => changeSettings(world, "srv129", { recovery_target_timeline: "current" }),
  },
  {
    check: "archiver",
    when: "the archiver fails",
    status: "warn",
    edit: (world) =>
      changeDatabase(world, "srv127", {
        archiver: someArchiver({ failedCount: 7, lastFailedWal: "000000010000000000000003" }),
      }),
  },
  {
    check: "pending-restart",
    when: "a setting waits for a restart",
    status: "warn",
    edit: (world) => changeDatabase(world, "srv127", { pendingRestart: ["max_connections"] }),
  },
];
