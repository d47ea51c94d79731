import { appendBackend } from "./append-backend.ts";
import { attachBackend } from "./attach-backend.ts";
import { baseBackup } from "./base-backup.ts";
import { confirmPrimary } from "./confirm-primary.ts";
import { createSlot } from "./create-slot.ts";
import { deleteData } from "./delete-data.ts";
import { demote } from "./demote.ts";
import { dropSlots } from "./drop-slots.ts";
import { fence } from "./fence.ts";
import { detachBackend } from "./detach-backend.ts";
import { follow } from "./follow.ts";
import { holdDoor } from "./hold-door.ts";
import { joinRegime } from "./join-regime.ts";
import { leadPool } from "./lead-pool.ts";
import { measureThroughput } from "./measure-throughput.ts";
import { measureWalRate } from "./measure-wal-rate.ts";
import { openHba } from "./open-hba.ts";
import { placeDataDirectory } from "./place-data-directory.ts";
import { probeLogins } from "./probe-logins.ts";
import { probeReach } from "./probe-reach.ts";
import { probeTarget } from "./probe-target.ts";
import { promote } from "./promote.ts";
import { proveBackend } from "./prove-backend.ts";
import { proveLogin } from "./prove-login.ts";
import { proveReads } from "./prove-reads.ts";
import { proveStreaming } from "./prove-streaming.ts";
import { readControl } from "./read-control.ts";
import { registerHaLists } from "./register-ha-lists.ts";
import { rejoin } from "./rejoin.ts";
import { releaseDoor } from "./release-door.ts";
import { restartDatabase } from "./restart-database.ts";
import { restoreFile } from "./restore-file.ts";
import { handBackCron } from "./hand-back-cron.ts";
import { setGuardMode } from "./set-guard-mode.ts";
import { setMaintenance } from "./set-maintenance.ts";
import { setSynchronousList } from "./set-synchronous-list.ts";
import { startDatabase } from "./start-database.ts";
import { startPool } from "./start-pool.ts";
import { startPrimary } from "./start-primary.ts";
import { stopDatabase } from "./stop-database.ts";
import { stopPool } from "./stop-pool.ts";
import { takeAddress } from "./take-address.ts";
import { takeOverCron } from "./take-over-cron.ts";
import { verifyData } from "./verify-data.ts";
import { writeNodeFiles } from "./write-node-files.ts";
import { dropOldDirectory } from "./drop-old-directory.ts";
import { killPrimary } from "./kill-primary.ts";
import { killStandby } from "./kill-standby.ts";
import { runLoad } from "./run-load.ts";
import { keepOwnFiles } from "./keep-own-files.ts";
import { remakeSlots } from "./remake-slots.ts";
import { removeEntries } from "./remove-entries.ts";
import { renewSlot } from "./renew-slot.ts";
import { stopPrimary } from "./stop-primary.ts";
import { stopStandby } from "./stop-standby.ts";
import { swapDataDirectory } from "./swap-data-directory.ts";
import type { Executors } from "./step.ts";

/** Every verb of shared/domain/commands.ts, and how this agent does it; in the order of an operation. */
export const executors: Executors = {
  "probe-target": probeTarget,
  "probe-logins": probeLogins,
  "probe-reach": probeReach,
  "measure-throughput": measureThroughput,
  "measure-wal-rate": measureWalRate,
  "open-hba": openHba,
  "prove-login": proveLogin,
  "create-slot": createSlot,
  "base-backup": baseBackup,
  "write-node-files": writeNodeFiles,
  "place-data-directory": placeDataDirectory,
  "start-database": startDatabase,
  "prove-streaming": proveStreaming,
  "verify-data": verifyData,
  "register-ha-lists": registerHaLists,
  "append-backend": appendBackend,
  "hold-door": holdDoor,
  "release-door": releaseDoor,
  "attach-backend": attachBackend,
  "prove-backend": proveBackend,
  "set-synchronous-list": setSynchronousList,
  "join-regime": joinRegime,
  "prove-reads": proveReads,
  "restore-file": restoreFile,
  "set-maintenance": setMaintenance,
  "confirm-primary": confirmPrimary,
  "set-guard-mode": setGuardMode,
  fence,
  demote,
  promote,
  follow,
  rejoin,
  "renew-slot": renewSlot,
  "stop-standby": stopStandby,
  "kill-standby": killStandby,
  "stop-primary": stopPrimary,
  "kill-primary": killPrimary,
  "run-load": runLoad,
  "keep-own-files": keepOwnFiles,
  "swap-data-directory": swapDataDirectory,
  "remake-slots": remakeSlots,
  "drop-old-directory": dropOldDirectory,
  "remove-entries": removeEntries,
  "drop-slots": dropSlots,
  "delete-data": deleteData,
  "lead-pool": leadPool,
  "take-address": takeAddress,
  "read-control": readControl,
  "stop-pool": stopPool,
  "start-pool": startPool,
  "stop-database": stopDatabase,
  "start-primary": startPrimary,
  "detach-backend": detachBackend,
  "restart-database": restartDatabase,
  "take-over-cron": takeOverCron,
  "hand-back-cron": handBackCron,
};
