import * as z from "zod";
import type { GuardFacts } from "#shared/domain/facts.ts";
import { mostMaintenanceMs, type Decision, type GuardMode } from "#shared/domain/guard.ts";
import { Name } from "#shared/domain/names.ts";
import type { FailureRecord } from "#shared/domain/operation.ts";
import { PlanDigest } from "../operations/plan-digest.ts";
import { RequestedBy, type NodeStatus } from "./contract.ts";

/**
 * The guards of the nodes, below the same /api as contract.ts.
 *
 *  GET  /api/guard?cluster=NAME           GuardAnswer, of all clusters where none is named
 *  POST /api/guard/maintenance            MaintenanceRequest → MaintenanceAnswer
 *  POST /api/guard/confirm-primary        ConfirmPrimaryRequest → ConfirmPrimaryAnswer
 *  POST /api/clusters/:name/guard/takeover, /handback   RegimeRequest → AddNodeAnswer
 */

export type NodeGuard = {
  readonly node: string;
  readonly agent: NodeStatus["agent"];
  readonly lastSeenAt: number | null;
  /** null while its agent is away: a remembered mode misleads. */
  readonly guard: GuardFacts | null;
  /** The vendor's cron lines of this host, as its agent saw them last; none where the product has none. */
  readonly vendorLines: readonly VendorLineStatus[];
  readonly lastDecision: Pick<Decision, "at" | "rule" | "because" | "outcome"> | null;
};

export type VendorLineStatus = {
  readonly script: string;
  /** unseen: its file can't be read. */
  readonly state: "active" | "commented" | "missing" | "twice" | "unseen";
  /** FILE:LINE of each. */
  readonly places: readonly string[];
};

export type GuardAnswer = {
  readonly at: number;
  readonly clusters: readonly {
    readonly name: string;
    readonly problem: string | null;
    readonly nodes: readonly NodeGuard[];
  }[];
};

export const MaintenanceRequest = RequestedBy.extend({
  /** A cluster, else a node. */
  what: Name,
  /** From now on; null ends it. */
  forMs: z
    .int()
    .min(1_000, { error: "maintenance lasts for a second at least" })
    .max(mostMaintenanceMs, { error: "maintenance ends after 30 days at the latest" })
    .nullable(),
  note: z.string().max(1_000).nullable(),
});
export type MaintenanceRequest = z.infer<typeof MaintenanceRequest>;

export const ConfirmPrimaryRequest = RequestedBy.extend({ node: Name });
export type ConfirmPrimaryRequest = z.infer<typeof ConfirmPrimaryRequest>;
export type ConfirmPrimaryAnswer = { readonly node: string; readonly lines: readonly string[] };

/** Each node for itself: one that can't be reached goes on as it was. */
export type MaintenanceAnswer = {
  readonly nodes: readonly {
    readonly node: string;
    readonly guard: GuardMode | null;
    readonly failure: FailureRecord | null;
  }[];
};

export const RegimeRequest = RequestedBy.extend({
  dryRun: z.boolean(),
  plan: PlanDigest.nullable().default(null),
});
export type RegimeRequest = z.infer<typeof RegimeRequest>;

/** How a node's guard saw things at a moment in the past, from the decisions that are kept. */
export type GuardMoment = {
  readonly node: string;
  /** The moment that was asked for. */
  readonly at: number;
  /** The last look up to it that decided something. */
  readonly decidedAt: number;
  readonly decisions: readonly Omit<Decision, "inputs" | "nearMisses">[];
  /** What that look saw. */
  readonly inputs: unknown;
  readonly nearMisses: Decision["nearMisses"];
  /** Findings that were open at the moment. */
  readonly standing: readonly (Pick<Decision, "rule" | "because" | "evidence"> & {
    readonly since: number;
  })[];
};
