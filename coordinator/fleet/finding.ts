/** What a finding is about, and what `castellan check` can be asked for. */
export type Area =
  "node" | "agents" | "lag" | "slots" | "sync" | "pool" | "vip" | "guard" | "alerts" | "operation";

/** Something of a cluster that is not as it should be, or that nobody can see. */
export type Finding = {
  readonly rule: string;
  readonly area: Area;
  /** unknown: nobody can tell whether it is all right. */
  readonly severity: "critical" | "warning" | "unknown";
  /** What it does to the cluster; null: nothing yet. */
  readonly makes: "down" | "degraded" | null;
  readonly node: string | null;
  readonly found: string;
  readonly wanted: string;
  /** What to type. */
  readonly next: string;
};

export type Verdict = {
  /** down: nobody can write, or nobody knows to which primary. */
  readonly state: "healthy" | "degraded" | "down";
  /** The worst first. */
  readonly findings: readonly Finding[];
};
