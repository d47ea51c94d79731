import type { Progress } from "#shared/domain/commands.ts";
import type { Log } from "#shared/log.ts";
import type { Clock } from "#shared/time.ts";
import type { Events } from "../events.ts";
import type { ClusterFiles } from "../ports.ts";
import type { CoordinatorLimits } from "../settings.ts";
import type { OperationRecord, Store } from "../store/store.ts";
import type { CommandPort } from "./agent-command.ts";
import type { Reserve } from "./renewed-reservations.ts";
import type { LocalSteps } from "./local-steps/local-step.ts";

/** What running an operation needs of the world. */
export type RunPorts = {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Events;
  readonly commands: CommandPort;
  /** An agent that is away, or of before, is told nothing. */
  readonly reserve: (node: string, message: Reserve) => void;
  readonly clusterFiles: ClusterFiles;
  readonly localSteps: LocalSteps;
  readonly limits: CoordinatorLimits;
  /** In [0, 1): jitter of retries. */
  readonly random: () => number;
  /**
   * What must be true when it has succeeded or is rolled back (baselines accepted), done before the journal says so;
   * can run twice. Answers what belongs to the very moment. The signal says that nobody waits any more.
   */
  readonly settle: (
    operation: OperationRecord,
    outcome: "succeeded" | "rolled-back",
    signal: AbortSignal,
  ) => Promise<() => void>;
  /** The journal says something new of this operation. */
  readonly onChange: (operationId: string) => void;
  readonly onProgress: (operationId: string, stepId: string, progress: Progress) => void;
};
