import type { AddNodeRequest } from "#coordinator/api/contract.ts";
import type { CheckResult } from "#coordinator/operations/plan.ts";
import type { WorldOptions } from "../../declared-node.ts";
import type { World } from "../../world.ts";

/** One way in which a check finds something. */
export type Case = {
  /** That users reported: its row in docs/vendor-checks.md. */
  readonly pitfall?: `F${number}`;
  readonly check: string;
  readonly when: string;
  readonly status: CheckResult["status"];
  readonly options?: WorldOptions;
  readonly request?: Partial<AddNodeRequest>;
  readonly edit: (world: World) => void;
  /** Must stand in what was found or in the fix. */
  readonly says?: RegExp;
};
