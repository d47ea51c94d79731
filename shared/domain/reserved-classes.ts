import type { CommandKind } from "./commands.ts";
import type { RuleClass } from "./guard.ts";

/**
 * What the guard of a node leaves alone while an operation does this there. What only looks reserves what it waits for:
 * a guard that mends it meanwhile would make the operation's next step another one's.
 */
export const reservedClasses: Readonly<Record<CommandKind, readonly RuleClass[]>> = {
  "probe-target": [],
  "probe-logins": [],
  "probe-reach": [],
  "measure-throughput": [],
  "measure-wal-rate": [],
  // A rewind in the meantime would bring back the file of before.
  "open-hba": ["role"],
  "prove-login": [],
  "create-slot": ["disk"],
  // On the new node alone: nothing of the source's is left alone for as long as a copy takes.
  "base-backup": ["database", "role"],
  "write-node-files": ["database", "role"],
  "place-data-directory": ["database", "role"],
  "start-database": ["database", "role"],
  "prove-streaming": ["database", "role"],
  "verify-data": [],
  "register-ha-lists": ["pool"],
  "append-backend": ["pool", "pool-row"],
  "hold-door": ["pool", "pool-row"],
  "release-door": ["pool", "pool-row"],
  "attach-backend": ["pool", "pool-row"],
  "prove-backend": ["pool", "pool-row"],
  "prove-reads": [],
  "set-synchronous-list": ["sync"],
  "join-regime": ["database"],
  // Any of them may rest on the file.
  "restore-file": ["database", "role", "sync", "pool", "pool-row"],
  "set-maintenance": [],
  "set-guard-mode": [],
  "confirm-primary": [],
  fence: ["database", "role"],
  demote: ["database", "role", "vip"],
  promote: ["database", "role", "vip"],
  follow: ["database", "role"],
  rejoin: ["database", "role"],
  "renew-slot": ["disk"],
  "stop-standby": ["database", "role"],
  "kill-standby": ["database", "role"],
  // The address goes as it goes in earnest.
  "stop-primary": ["database", "role"],
  "kill-primary": ["database", "role"],
  "run-load": [],
  "keep-own-files": ["database", "role"],
  "swap-data-directory": ["database", "role"],
  "remake-slots": ["database", "role", "disk"],
  "drop-old-directory": ["database", "role"],
  "remove-entries": ["role", "pool", "pool-row"],
  "drop-slots": ["disk"],
  "delete-data": ["database", "role"],
  "lead-pool": ["pool", "pool-row"],
  "take-address": ["vip"],
  "read-control": [],
  "stop-pool": ["pool", "pool-row"],
  "start-pool": ["pool", "pool-row"],
  "stop-database": ["database", "role", "vip"],
  "start-primary": ["database", "role", "vip"],
  "detach-backend": ["pool", "pool-row"],
  "restart-database": ["database", "role", "vip"],
  "take-over-cron": [],
  "hand-back-cron": [],
};
