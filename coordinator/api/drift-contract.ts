import * as z from "zod";
import type { Complaint } from "#shared/config-files/text-file.ts";
import type { FileSetting } from "#shared/domain/facts.ts";
import { Name } from "#shared/domain/names.ts";
import type { Plan } from "../operations/plan.ts";
import type { AlertRecord, FileVersionRecord, OperationRecord } from "../store/store.ts";

/**
 * Watched files and their drift (see contract.ts for how calls and errors look).
 *
 *  GET  /api/drift?cluster=NAME                       DriftAnswer
 *  GET  /api/drift/show?node=N&file=F                 DriftShown
 *  POST /api/drift/accept                             AcceptDriftRequest → DriftAccepted
 *  POST /api/drift/revert                             RevertDriftRequest → RevertAnswer
 *  GET  /api/files/show?node=N&file=F&version=V       FileShown
 *  GET  /api/files/history?node=N&file=F              FileHistory
 *  GET  /api/files/diff?left=N[:V]&right=N[:V]&file=F FileDiff
 */

/** Of one difference, as `drift show` printed it. */
const ShownHash = z
  .string()
  .regex(/^[0-9a-f]{16}$/, "16 hexadecimal digits, as drift show printed");

const FileName = z.string().min(1).max(4_096);
const Person = z.string().max(200);

export const AcceptDriftRequest = z.strictObject({
  node: Name,
  file: FileName,
  /** Only if it still is this difference; null for whatever stands there. */
  shown: ShownHash.nullable(),
  /** Also a file that can't be parsed any more. */
  force: z.boolean(),
  requestedBy: Person,
});
export type AcceptDriftRequest = z.infer<typeof AcceptDriftRequest>;

export const RevertDriftRequest = z.strictObject({
  node: Name,
  file: FileName,
  shown: ShownHash.nullable(),
  dryRun: z.boolean(),
  requestedBy: Person,
});
export type RevertDriftRequest = z.infer<typeof RevertDriftRequest>;

export type DriftItem = {
  readonly cluster: string | null;
  readonly node: string;
  readonly path: string;
  readonly what: string;
  readonly state: FileVersionRecord["state"];
  /** Names this difference for accept and revert. */
  readonly shown: string;
  readonly seenAt: number;
  readonly modifiedAt: number | null;
  readonly who: string | null;
  readonly acceptedAt: number;
  readonly acceptedBy: string;
  /** It can't be parsed any more. */
  readonly isBroken: boolean;
};

/** A rule between nodes and files that is broken; `id` is that of its alert. */
export type RuleBreach = Pick<AlertRecord, "id" | "rule" | "severity" | "node" | "summary">;

export type DriftAnswer = {
  readonly at: number;
  readonly files: readonly DriftItem[];
  /** Settings that stand in a file and are not in force. */
  readonly settings: readonly (FileSetting & { readonly node: string })[];
  readonly breaches: readonly RuleBreach[];
  /** Nodes whose agents are away: theirs is what they told last. */
  readonly away: readonly string[];
};

export type DriftShown = DriftItem & {
  /** Masked. Empty lines of a diff are kept. */
  readonly diff: readonly string[];
  /** What it means, a line each. */
  readonly changes: readonly string[];
  readonly complaints: readonly Complaint[];
  /** Settings of this file that are not in force. */
  readonly settings: readonly FileSetting[];
  /** One sentence on whether the server uses it yet; null where nobody can tell. */
  readonly inForce: string | null;
  /** Of rules that are broken in this file. */
  readonly breaches: readonly RuleBreach[];
  /** No agent is connected: this is what it told last. */
  readonly isAway: boolean;
};

export type DriftAccepted = {
  readonly node: string;
  readonly path: string;
  readonly acceptedBy: string;
  readonly diff: readonly string[];
};

export type RevertAnswer = {
  readonly plan: Plan;
  /** null for a dry run. */
  readonly operation: OperationRecord | null;
};

export type FileVersionLine = Omit<FileVersionRecord, "maskedText"> & {
  readonly hasText: boolean;
  readonly who: string | null;
};

export type FileShown = FileVersionLine & {
  readonly maskedText: string | null;
  /** The newest that is known. */
  readonly isCurrent: boolean;
};

export type FileHistory = {
  readonly node: string;
  readonly path: string;
  /** Newest first. */
  readonly versions: readonly FileVersionLine[];
};

export type FileDiff = {
  readonly left: FileVersionLine;
  readonly right: FileVersionLine;
  readonly diff: readonly string[];
};
