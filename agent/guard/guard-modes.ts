import * as z from "zod";
import { mostMaintenanceMs, type GuardMode } from "#shared/domain/guard.ts";
import type { Clock } from "#shared/time.ts";
import { openBoundFile } from "./bound-file.ts";
import { guardRecordFile } from "./guard-record.ts";

/** Of a newer version, too: what that knew beyond this is left out. */
const Stored = z.object({
  mode: z.enum(["observe", "enforce"]),
  /** Who set it; left out where nobody has. */
  by: z.string().optional(),
  maintenance: z
    .object({ until: z.number(), by: z.string(), note: z.string().nullable() })
    .nullable(),
});
type Stored = z.infer<typeof Stored>;

/**
 * How far the guard may go on this host.
 *  observe, enforce - until somebody says otherwise
 *  maintenance      - over either of them, until its end, which comes by the clock at the latest
 * What was lost, can't be read or is another host's counts as observe until somebody sets a mode.
 */
export type GuardModes = {
  current(): GuardMode;
  /** What lasts, whether maintenance lies over it or not. */
  lasting(): Stored["mode"];
  /** Why nothing is known of the mode that was set; null where all is well. */
  trouble(): string | null;
  /** A mode was set on this host at some time. */
  isKept(): boolean;
  /** During maintenance: what it falls back to. */
  setMode(mode: Stored["mode"], by: string): Promise<void>;
  beginMaintenance(input: MaintenanceInput): Promise<void>;
  endMaintenance(): Promise<void>;
};

type MaintenanceInput = {
  readonly forMs: number;
  readonly by: string;
  readonly note: string | null;
};

type GuardModesOptions = {
  readonly stateDirectory: string;
  readonly node: string;
  readonly clock: Pick<Clock, "now" | "elapsedMs">;
  readonly machineIdFile?: string;
};

export async function openGuardModes(options: GuardModesOptions): Promise<GuardModes> {
  const { stateDirectory, node, clock, machineIdFile } = options;
  const path = `${stateDirectory}/guard-mode.json`;
  const file = await openBoundFile({ path, schema: Stored, node, machineIdFile });
  const { hasMode } = await guardRecordFile(stateDirectory).load();
  const isGone = file.found === null && file.trouble === null && hasMode === true;
  let trouble = isGone ? `${path} is gone` : file.trouble;
  let isKept = file.found !== null || trouble !== null;
  let stored: Stored = file.found ?? { mode: "observe", maintenance: null };
  let overAtMs = endOf(stored);

  /** By a clock that nobody sets as well: the time of day may be set back. */
  function endOf({ maintenance }: Stored): number {
    if (maintenance === null) return Number.NEGATIVE_INFINITY;
    return clock.elapsedMs() + Math.min(maintenance.until - clock.now(), mostMaintenanceMs);
  }

  async function keep(next: Stored): Promise<void> {
    await file.save(next);
    stored = next;
    overAtMs = endOf(next);
    trouble = null;
    isKept = true;
  }

  return {
    current: () => {
      const { mode, by = null, maintenance } = stored;
      const isOver =
        maintenance === null || clock.now() >= maintenance.until || clock.elapsedMs() >= overAtMs;
      return isOver
        ? { mode, until: null, by, note: null }
        : { mode: "maintenance", ...maintenance };
    },
    lasting: () => stored.mode,
    trouble: () => trouble,
    isKept: () => isKept,
    setMode: (mode, by) => keep({ ...stored, mode, by }),
    beginMaintenance: async ({ forMs, by, note }) => {
      const until = clock.now() + Math.min(forMs, mostMaintenanceMs);
      await keep({ ...stored, maintenance: { until, by, note } });
    },
    endMaintenance: () => keep({ ...stored, maintenance: null }),
  };
}
