import type { LoadedCluster } from "../../ports.ts";
import { appendBackendSteps } from "../add-node/plan/backend-steps.ts";
import { plannedOn } from "../add-node/plan/planned-files.ts";
import type { KnownNode, Registration } from "../add-node/situation.ts";
import type { CheckResult, Plan } from "../plan.ts";

export type PoolPrepareInput = {
  readonly cluster: LoadedCluster;
  readonly managers: readonly KnownNode[];
  readonly checks: readonly CheckResult[];
  readonly registration: Exclude<Registration, { readonly way: "none" }>;
};

/** The same row in every pool's file, loaded as down. Nothing is attached. */
export function planPoolPrepare(input: PoolPrepareInput): Plan {
  const { cluster, managers, checks, registration } = input;
  const { row } = registration;
  const isLoaded = registration.way === "attach";
  return {
    declaration: cluster.declaration,
    declarationHash: cluster.hash,
    checks,
    forecast: null,
    steps: isLoaded ? [] : appendBackendSteps({ managers }, row),
    files: managers.flatMap((manager) => {
      const { name, pool } = manager.declared;
      const files = plannedOn(manager, pool === null ? [] : [pool.configFile]) ?? [];
      return files.map((file) => ({ node: name, ...file }));
    }),
    notes: [
      isLoaded
        ? `Every pool runs with backend ${row.id} (${row.hostname}:${row.port}) already: nothing is to be done.`
        : `The pools take backend ${row.id} in by reload and show it as down; no session is touched.`,
      "A row that a running pool has loaded can't be unloaded: taken back, it is out of the file and stays down until the pool's next restart.",
    ],
  };
}
