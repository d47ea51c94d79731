import type { GuardFinding } from "#shared/domain/facts.ts";

export type CheckResult = {
  /** null: nothing found. */
  readonly severity: GuardFinding["severity"] | null;
  /** One line for people: what was seen. */
  readonly text: string;
  /** What a plugin says for graphs, as it said it. */
  readonly perfdata?: string;
};

/** A periodic check whose findings are alerts. */
export type Check = {
  readonly name: string;
  /** node-cron expression, with seconds. */
  readonly schedule: string;
  /** Runs in a row that must agree before it is an alert, and before it is over. */
  readonly looks: number;
  /** Ends soon after `signal`, whatever hangs. */
  readonly run: (signal: AbortSignal) => Promise<CheckResult>;
};

export function fine(text: string): CheckResult {
  return { severity: null, text };
}

export function warning(text: string): CheckResult {
  return { severity: "warning", text };
}
