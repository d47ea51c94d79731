import { changePool, changeSettings } from "../../world.ts";
import type { Case } from "./case.ts";
import { pool } from "./edits.ts";

export const capacityCases: readonly Case[] = [
  {
    check: "wal-senders",
    when: "one WAL sender is free",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { max_wal_senders: "2" }),
    says: /restart/,
  },
  {
    check: "slots-free",
    when: "a standby has no room for a slot",
    status: "fail",
    edit: (world) => changeSettings(world, "srv129", { max_replication_slots: "1" }),
  },
  {
    check: "slots-on-newcomer",
    when: "the copied setting gives too few slots",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { max_replication_slots: "1" }),
  },
  {
    check: "wal-level",
    when: "the primary writes minimal WAL",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { wal_level: "minimal" }),
  },
  {
    check: "hot-standby",
    when: "the new node could not be read from",
    status: "fail",
    edit: (world) => changeSettings(world, "srv127", { hot_standby: "off" }),
  },
  {
    pitfall: "F11",
    check: "hot-standby-settings",
    when: "the source has fewer connections than the primary",
    status: "fail",
    request: { source: "srv129" },
    edit: (world) => changeSettings(world, "srv129", { max_connections: "50" }),
    says: /max_connections 50 < 100/,
  },
  {
    check: "full-page-writes",
    when: "a standby can't be copied from",
    status: "fail",
    request: { source: "srv129" },
    edit: (world) => changeSettings(world, "srv127", { full_page_writes: "off" }),
  },
  {
    check: "rewind-possible",
    when: "there are neither hints nor checksums",
    status: "warn",
    edit: (world) => changeSettings(world, "srv127", { wal_log_hints: "off" }),
  },
  {
    check: "slot-size-limit",
    when: "the server gives slots up early",
    status: "warn",
    edit: (world) => changeSettings(world, "srv127", { max_slot_wal_keep_size: "100" }),
  },
  {
    check: "pool-capacity",
    when: "the pool may open more sessions than the node takes",
    status: "warn",
    options: pool,
    edit: (world) =>
      changePool(world, "srv127", { settings: { num_init_children: "64", max_pool: "4" } }),
  },
];
