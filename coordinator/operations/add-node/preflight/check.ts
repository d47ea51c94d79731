import type { CheckResult } from "../../plan.ts";
import type { KnownNode, Situation } from "../situation.ts";

/** A row of the preflight table. */
export type Check = {
  readonly id: string;
  /** A sentence that is true when the check passes. */
  readonly title: string;
  /** What would be right, for the generated page and for every answer that doesn't say it closer. */
  readonly wanted: string;
  /** Rows that have nothing to say about this cluster are left out of the result. */
  readonly applies: (situation: Situation) => boolean;
  /** One verdict, or one for each node; none where another check says already why it can't be known. */
  readonly evaluate: (situation: Situation) => Verdict | readonly Verdict[];
};

export type Verdict = {
  readonly status: CheckResult["status"];
  readonly node: string | null;
  readonly found: string;
  readonly wanted?: string;
  /** What to do or type; empty when it passes. */
  readonly fix: string;
};

export function pass(node: string | null, found: string): Verdict {
  return { status: "pass", node, found, fix: "" };
}

export function warn(node: string | null, found: string, fix: string, wanted?: string): Verdict {
  return { status: "warn", node, found, fix, ...(wanted === undefined ? {} : { wanted }) };
}

export function fail(node: string | null, found: string, fix: string, wanted?: string): Verdict {
  return { status: "fail", node, found, fix, ...(wanted === undefined ? {} : { wanted }) };
}

export const always = (): boolean => true;

export function nameOf(node: KnownNode): string {
  return node.declared.name;
}

/** Nodes whose agent told us about a database that answers. */
export function withDatabase(nodes: readonly KnownNode[]): readonly KnownNode[] {
  return nodes.filter((node) => node.facts?.database.status === "running");
}
