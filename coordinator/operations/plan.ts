import type {
  BackendRow,
  CommandArgs,
  CommandKind,
  Preconditions,
} from "#shared/domain/commands.ts";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import type { RuleClass } from "#shared/domain/guard.ts";
import * as z from "zod";

/** An operation as data: journaled before anything is touched, printed by --dry-run and by `operation show`. */
export type Plan = {
  /** The declaration that it was made from, resolved, and the file's sha256 at that moment. */
  readonly declaration: ClusterDeclaration;
  readonly declarationHash: string;
  readonly checks: readonly CheckResult[];
  readonly forecast: Forecast | null;
  readonly steps: readonly PlanStep[];
  /** What an operator must know beforehand, e.g. open client sessions that the registration touches. */
  readonly notes: readonly string[];
  /** Files that the edits were worked out from, as they stood then. Plans of earlier versions have none. */
  readonly files?: readonly PlannedFile[];
  /** Who led the cluster when it was planned. */
  readonly premise?: Premise;
  /** The most WAL that a slot of it may hold back, as asked or set; a small disk makes it less. */
  readonly walBudgetLimit?: number;
  /** Once this step is done nothing is taken back any more: from there on it only goes on. */
  readonly noReturn?: string;
  /** What the guards leave to it from its start to its end, beside what each of its steps reserves. */
  readonly reserves?: readonly NodeReservation[];
  /** By which a person says that this very plan is meant (plan-digest.ts). */
  readonly digest?: string;
};

export type PlannedFile = {
  readonly node: string;
  readonly path: string;
  /** sha256 of its bytes; null where there was none. */
  readonly hash: string | null;
};

type NodeReservation = { readonly node: string; readonly classes: readonly RuleClass[] };

type Premise = {
  readonly primary: string;
  readonly systemIdentifier: string;
  readonly timeline: number | null;
};

export type PlanStep = PlanStepBase & (AgentStep | CoordinatorStep);

type PlanStepBase = {
  /** Unique in the plan and readable: `create-slot/srv127`. */
  readonly id: string;
  /** Headline in the live tree; steps of one phase stand together. */
  readonly phase: PhaseId;
  /** What it does, as a sentence. */
  readonly title: string;
  /** Exact edits as diffs (masked), SQL, command lines. Depends on the arguments only. */
  readonly preview: readonly string[];
};

export const phases = [
  "drill",
  "restart",
  "stop",
  "hba",
  "slots",
  "base-backup",
  "files",
  "start",
  "pools",
  "verify",
  "register",
  "synchronous",
  "regime",
  "proof",
  "declare",
  "restore",
  "cron",
  "mode",
  "hand-over",
  "follow",
  "detach",
  "withdraw",
  "delete",
] as const;
export type PhaseId = (typeof phases)[number];

/** One command to one agent. */
export type AgentStep = {
  [K in CommandKind]: {
    readonly on: string;
    readonly kind: K;
    readonly args: CommandArgs<K>;
    readonly preconditions: Preconditions;
  };
}[CommandKind];

type DrillFault = "stop-standby" | "kill-standby" | "stop-primary" | "kill-primary";

export type PoolAttachment = {
  readonly row: BackendRow;
  /** Management nodes with the port of each one's pool. */
  readonly pools: readonly { readonly node: string; readonly port: number }[];
  readonly holdDoor: boolean;
  readonly holdMs: number;
};

/** What needs several agents at one moment, or the coordinator's own files. */
export type CoordinatorStep =
  | {
      readonly on: null;
      readonly kind: "attach-pool";
      readonly args: PoolAttachment;
    }
  | {
      readonly on: null;
      readonly kind: "detach-pool";
      /** As its undo attaches it again. */
      readonly args: PoolAttachment;
    }
  | {
      readonly on: null;
      readonly kind: "hand-over";
      readonly args: {
        readonly from: string;
        readonly to: string;
        /** Of the former primary. */
        readonly timeline: number;
        readonly stallMs: number;
      };
    }
  | {
      readonly on: null;
      readonly kind: "stop-databases";
      readonly args: {
        /** null: none runs as a primary. */
        readonly primary: string | null;
        /** They wait for the primary's last record. */
        readonly followers: readonly string[];
        readonly others: readonly string[];
        readonly stallMs: number;
      };
    }
  | {
      readonly on: null;
      readonly kind: "drill";
      readonly args: {
        readonly node: string;
        readonly fault: DrillFault;
        /** Whose agent is the client. */
        readonly client: string;
        readonly pool: CommandArgs<"run-load">["pool"];
        /** Asked right before the fault, of each of these standbys. */
        readonly streams: readonly { readonly on: string; readonly args: CommandArgs<"prove-streaming"> }[]; // prettier-ignore
        /** Of a primary, for the undo: pools don't take it back by themselves. */
        readonly attachment?: PoolAttachment;
        readonly beforeMs: number;
        readonly afterMs: number;
        readonly stallMs: number;
      };
    }
  | {
      readonly on: null;
      readonly kind: "bring-back";
      /** The row where a pool has one. */
      readonly args: { readonly node: string; readonly attachment: PoolAttachment | null };
    }
  | {
      readonly on: null;
      readonly kind: "hand-back";
      readonly args: { readonly to: string };
    }
  | {
      readonly on: null;
      readonly kind: "declare-node";
      readonly args: { readonly node: NodeDeclaration };
    }
  | {
      readonly on: null;
      readonly kind: "undeclare-node";
      /** The file as it was planned with: an undo brings its bytes back. */
      readonly args: { readonly node: NodeDeclaration; readonly yaml: string };
    };

export type CoordinatorStepKind = CoordinatorStep["kind"];

export const CheckResult = z.strictObject({
  id: z.string(),
  title: z.string(),
  node: z.string().nullable(),
  status: z.enum(["pass", "warn", "fail"]),
  found: z.string(),
  wanted: z.string(),
  /** What to do or type; empty when it passes. */
  fix: z.string(),
});
export type CheckResult = z.infer<typeof CheckResult>;

export type Forecast = {
  readonly bytesToCopy: number;
  readonly bytesPerSecond: number;
  readonly walBytesPerSecond: number;
  readonly secondsToCopy: number;
  /** WAL that the slot will hold back at the end of the copy. */
  readonly slotBytes: number;
  readonly walBudgetBytes: number;
  readonly targetFreeBytes: number;
  /** Empty when it fits. */
  readonly refusals: readonly string[];
};
