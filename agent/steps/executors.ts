import type { Executors } from "./step.ts";
import { baseBackup } from "./base-backup.ts";
import { createSlot } from "./create-slot.ts";
import { openHba } from "./open-hba.ts";
import { probeLogins } from "./probe-logins.ts";
import { proveLogin } from "./prove-login.ts";

/** Every verb of shared/domain/commands.ts, and how this agent does it. */
export const executors: Partial<Executors> = {
  "probe-logins": probeLogins,
  "open-hba": openHba,
  "prove-login": proveLogin,
  "create-slot": createSlot,
  "base-backup": baseBackup,
};
