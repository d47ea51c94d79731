import {
  lessThanPrimary,
  numberIn,
  poolConnections,
  rewindMeans,
} from "../../../rules/evaluators.ts";
import { printBytes } from "../print-units.ts";
import { setting, settingNumber } from "../situation.ts";
import {
  always,
  type Check,
  fail,
  nameOf,
  pass,
  type Verdict,
  warn,
  withDatabase,
} from "./check.ts";

/** A base backup with its WAL stream takes two, a streaming standby keeps one of them. */
const sendersForBackup = 2;

/** Room in the servers: most of this needs a restart, so it is found now and not in the middle. */
export const capacityChecks: readonly Check[] = [
  {
    id: "wal-senders",
    title: "The source has WAL senders to spare",
    wanted: `${sendersForBackup} free`,
    applies: (s) => s.source !== null,
    evaluate: (s) =>
      [...new Set([s.source, s.primary])].flatMap((node): readonly Verdict[] => {
        const most = settingNumber(node, "max_wal_senders");
        if (node === null || most === null) return [];
        const used = node.facts?.database.replication.length ?? 0;
        const needed = node === s.source ? sendersForBackup : 1;
        const found = `${most - used} of max_wal_senders = ${most} free`;
        if (most - used >= needed) return [pass(nameOf(node), found)];
        return [
          fail(
            nameOf(node),
            found,
            `Set max_wal_senders to ${used + needed + 2} or more on ${nameOf(node)}: it takes a restart, so choose the hour.`,
            `${needed} free`,
          ),
        ];
      }),
  },
  {
    id: "slots-free",
    title: "Every node has room for the new node's slot",
    wanted: "one free slot",
    applies: always,
    evaluate: (s) =>
      withDatabase(s.existing).flatMap((node): readonly Verdict[] => {
        const most = settingNumber(node, "max_replication_slots");
        if (most === null) return [];
        const used = node.facts?.database.slots.length ?? 0;
        const found = `${most - used} of max_replication_slots = ${most} free`;
        if (most - used >= 1) return [pass(nameOf(node), found)];
        return [
          fail(
            nameOf(node),
            found,
            `Set max_replication_slots to ${used + 3} or more on ${nameOf(node)}: it takes a restart, so choose the hour.`,
          ),
        ];
      }),
  },
  {
    id: "slots-on-newcomer",
    title: "The new node will have room for the others' slots",
    wanted: "one slot for every other node",
    applies: (s) => s.source !== null,
    evaluate: (s) => {
      const most = settingNumber(s.source, "max_replication_slots");
      if (most === null || s.source === null) return [];
      const found = `max_replication_slots = ${most}, copied from ${nameOf(s.source)}`;
      if (most >= s.existing.length) return pass(nameOf(s.newcomer), found);
      return fail(
        nameOf(s.newcomer),
        found,
        `Raise it on ${nameOf(s.source)} first (restart).`,
        `${s.existing.length} or more`,
      );
    },
  },
  {
    id: "wal-level",
    title: "The primary writes WAL for standbys",
    wanted: "wal_level = replica or logical",
    applies: (s) => setting(s.primary, "wal_level") !== null,
    evaluate: (s) => {
      const found = setting(s.primary, "wal_level") ?? "";
      const name = s.primary === null ? null : nameOf(s.primary);
      if (["replica", "logical", "hot_standby"].includes(found)) return pass(name, found);
      return fail(name, found, "Set wal_level = replica on the primary: it takes a restart.");
    },
  },
  {
    id: "hot-standby",
    title: "Standbys can be read from",
    wanted: "hot_standby = on",
    applies: (s) => setting(s.source, "hot_standby") !== null,
    evaluate: (s) => {
      const found = setting(s.source, "hot_standby") ?? "";
      const name = s.source === null ? null : nameOf(s.source);
      if (found === "on") return pass(name, found);
      return fail(
        name,
        found,
        "Set hot_standby = on in the source's configuration: the new node takes it over.",
      );
    },
  },
  {
    id: "hot-standby-settings",
    title: "No standby has less than its primary where it must not",
    wanted: "at least the primary's value",
    applies: (s) => s.primary !== null,
    evaluate: (s) =>
      withDatabase(s.existing)
        .filter((node) => node !== s.primary)
        .map((node): Verdict => {
          const theirs = s.primary?.facts?.database.settings ?? {};
          const ours = node.facts?.database.settings ?? {};
          const version = node.facts?.database.versionNumber ?? 0;
          const less = lessThanPrimary(theirs, ours, version).map(
            (found) => `${found.name} ${found.ours} < ${found.theirs}`,
          );
          if (less.length === 0) return pass(nameOf(node), "all at least the primary's");
          const fix = `Raise them on ${nameOf(node)} (restart of that standby).`;
          // The new node starts with its source's values, and would not start at all.
          return node === s.source
            ? fail(nameOf(node), less.join(", "), fix)
            : warn(nameOf(node), less.join(", "), fix);
        }),
  },
  {
    id: "full-page-writes",
    title: "A backup from a standby is possible",
    wanted: "full_page_writes = on on the primary",
    applies: (s) => s.source !== s.primary && setting(s.primary, "full_page_writes") !== null,
    evaluate: (s) => {
      const found = setting(s.primary, "full_page_writes") ?? "";
      const name = s.primary === null ? null : nameOf(s.primary);
      if (found === "on") return pass(name, found);
      return fail(
        name,
        found,
        "Set full_page_writes = on there and reload, or leave --source out.",
      );
    },
  },
  {
    id: "rewind-possible",
    title: "A former primary can be rewound",
    wanted: "wal_log_hints = on, or checksums",
    applies: (s) => setting(s.primary, "wal_log_hints") !== null,
    evaluate: (s) => {
      const means = rewindMeans(s.primary?.facts?.database.settings ?? {});
      const name = s.primary === null ? null : nameOf(s.primary);
      if (means === "wal_log_hints") return pass(name, "wal_log_hints = on");
      if (means === "checksums") return pass(name, "checksums");
      return warn(name, "neither", "Set wal_log_hints = on with the next restart.");
    },
  },
  {
    id: "slot-size-limit",
    title: "The server keeps the slot during the copy",
    wanted: "no limit, or one far above the forecast",
    applies: (s) => setting(s.primary, "max_slot_wal_keep_size") !== null,
    evaluate: (s) => {
      const megabytes = settingNumber(s.primary, "max_slot_wal_keep_size");
      const name = s.primary === null ? null : nameOf(s.primary);
      if (megabytes === null || megabytes < 0) return pass(name, "no limit");
      const found = `max_slot_wal_keep_size = ${printBytes(megabytes * 1024 * 1024)}`;
      if (megabytes >= 1_024) return pass(name, found);
      return warn(
        name,
        found,
        "The server itself gives the slot up beyond it: raise it for the copy (reload).",
      );
    },
  },
  {
    id: "pool-capacity",
    title: "The new node has connections for every pool session",
    wanted: "num_init_children × max_pool below max_connections",
    applies: (s) =>
      s.declaration.pool !== "none" && settingNumber(s.source, "max_connections") !== null,
    evaluate: (s) => {
      return s.managers.flatMap((manager): readonly Verdict[] => {
        const settings = manager.facts?.pool?.settings ?? {};
        const room = poolConnections(
          numberIn(settings, "num_init_children"),
          numberIn(settings, "max_pool"),
          s.source?.facts?.database.settings ?? {},
        );
        if (room === null) return [];
        const { found, fits } = room;
        if (fits) return [pass(nameOf(manager), found)];
        return [
          warn(nameOf(manager), found, "Lower max_pool, or raise max_connections everywhere."),
        ];
      });
    },
  },
];
