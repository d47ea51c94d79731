import type { WorldOptions } from "../../declared-node.ts";
import type { Edit } from "../edits.ts";

/** One way to break a rule, and one that stops just short of it. */
export type RuleCase = {
  /** That users reported: its row in docs/vendor-checks.md. */
  readonly pitfall?: `F${number}`;
  readonly rule: string;
  readonly options?: WorldOptions;
  readonly breaks: Edit;
  readonly keeps: Edit;
  /** Must stand in what was found. */
  readonly says: RegExp;
  /** On which node; null for the cluster. */
  readonly on: string | null;
};
