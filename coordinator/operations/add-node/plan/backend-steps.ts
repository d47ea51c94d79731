import { appendBackend } from "#shared/config-files/pool-edit.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { BackendRow } from "#shared/domain/commands.ts";
import type { PlanStep } from "../../plan.ts";
import { type KnownNode, type Situation, textAt } from "../situation.ts";
import { linesOf, noPreconditions } from "./common.ts";
import { plannedOn } from "./planned-files.ts";

/** The same row, with the same number, in every pool's file; each pool takes it in by reload and shows it as down. */
export function appendBackendSteps(
  situation: Pick<Situation, "managers">,
  row: BackendRow,
): readonly PlanStep[] {
  return situation.managers.flatMap((manager): readonly PlanStep[] => {
    const { name, pool } = manager.declared;
    if (pool === null) return [];
    return [
      {
        id: `append-backend/${name}`,
        phase: "register",
        title: `Add ${row.applicationName} as backend ${row.id} to the pool of ${name}, and reload it`,
        preview: backendPreview(manager, pool.configFile, row),
        on: name,
        kind: "append-backend",
        args: { file: pool.configFile, row, planned: plannedOn(manager, [pool.configFile]) },
        preconditions: noPreconditions,
      },
    ];
  });
}

function backendPreview(manager: KnownNode, path: string, row: BackendRow): readonly string[] {
  const text = textAt(manager.facts, path);
  if (text === null) return [`${path}: backend_hostname${row.id} = '${row.hostname}' …`];
  try {
    const edited = appendBackend(text, { ...row, flag: "ALLOW_TO_FAILOVER" });
    const diff = linesOf(unifiedDiff(text, edited, { path }));
    return diff.length === 0 ? [`${path} has this row already`] : diff;
  } catch (error) {
    // The number is taken by another row: preflight refuses it, with its line.
    return [`${path}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
