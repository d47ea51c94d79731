import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "#test/harness/project-root.ts";
import type { PointLists } from "./strike.ts";

/** Points that an addition of a node to the matrix's clusters, and its rollback, do not come to; and why not. */
export const unreachedPoints: Readonly<Record<string, string>> = {
  "directory:removed": "only KingbaseES has directories beside the data directory",
  "guard:attached": "the guards only observe",
  "guard:begun": "the guards only observe",
  "guard:database-stopped": "no failover",
  "guard:detached": "the guards only observe",
  "guard:directory-locked": "no failover",
  "guard:directory-unlocked": "no failover",
  "guard:ended": "the guards only observe",
  "guard:ending": "the guards only observe",
  "guard:marker-aside": "no failover",
  "guard:marking-standby": "no failover",
  "guard:recovered": "no failover",
  "guard:rejoin-noted": "no failover",
  "guard:rejoin-settled": "no failover",
  "guard:rewind-ended": "no failover",
  "guard:rewind-started": "no failover",
  "guard:step-done": "the guards only observe",
  "guard:stopped-to-repoint": "no failover",
  "guard:synchronous-marked": "the guards only observe",
  "guard:upstream-edited": "no failover",
  "guard:wal-kept": "no failover",
  "guard:marker-removed": "no failover",
  "guard:opened-read-only": "no failover",
  "guard:stopped-to-open": "no failover",
  "guard:pool-started": "the guards only observe",
  "guard:vip-added": "the guards only observe",
  "guard:vip-dropped": "the guards only observe",
  "guard:dropping-slot": "the WAL budget is not used up",
  "guard:slot-dropped": "the WAL budget is not used up",
  "job:ended": "the copy is over when the operation is aborted",
  "restore:decided": "of castellan store restore",
  "restore:moved-in": "of castellan store restore",
  "restore:moved-out": "of castellan store restore",
  "restore:staged": "of castellan store restore",
  "step:address-dropped": "no switchover",
  "step:demoted": "no switchover",
  "step:demotion-marked": "no switchover",
  "step:demotion-undone": "no switchover",
  "step:following": "no switchover",
  "step:former-primary-detached": "no switchover",
  "step:nobody-promoted": "no switchover",
  "step:primary-stopped": "no switchover",
  "step:promoted": "no switchover",
  "step:promoting": "no switchover",
  "step:promotion-asked": "no switchover",
  "step:old-slot-dropped": "no rebuild",
  "step:old-slot-back": "no rebuild",
  "step:standby-started-again": "no rebuild",
  "step:killing-primary": "no drill",
  "step:killing-standby": "no drill",
  "step:primary-open-again": "no drill",
  "step:stopping-primary": "no drill",
  "step:drill-fault-undone": "no drill",
  "step:drill-struck": "no drill",
  "step:load-table-made": "no drill",
  "step:stopping-standby": "no rebuild",
  "step:own-files-kept": "no rebuild",
  "step:old-directory-aside": "no rebuild",
  "step:copy-in-place": "no rebuild",
  "step:copy-taken-out": "no rebuild",
  "step:old-directory-back": "no rebuild",
  "step:dropping-old-directory": "no rebuild",
  "step:attached-again": "no restart of the cluster",
  "step:detached-to-restart": "no restart of the cluster",
  "step:database-stopped": "no stop of the cluster",
  "step:pool-started": "no stop of the cluster",
  "step:pool-stopped": "no stop of the cluster",
  "step:primary-down": "no stop of the cluster",
  "step:primary-started": "no stop of the cluster",
  "step:primary-stopped-again": "no stop of the cluster",
  "step:restarted": "no restart of the cluster",
  "step:starting-primary": "no stop of the cluster",
  "step:stop-marked": "no stop of the cluster",
  "step:stop-undone": "no stop of the cluster",
  "step:stopped-to-restart": "no restart of the cluster",
  "step:undeclared": "no removal",
  "step:declared-again": "no removal",
  "step:deleting-data": "no removal",
  "step:entries-back": "no removal",
  "step:node-slot-dropped": "no removal",
  "step:node-slot-back": "no removal",
  "step:setting-written": "only the PostgreSQL cluster is synchronous",
  "store:journal-made": "the journal was made when the coordinator was installed",
};

/** The name of every crash point in the programs' sources; `*` for what is put in when it is reached. */
export function sourcePoints(): readonly string[] {
  const root = projectRoot();
  const files = ["agent", "coordinator"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts"))
      .map((file) => join(root, folder, file)),
  );
  const names = files.flatMap((file) => {
    const calls = readFileSync(file, "utf8").matchAll(/\bcrashPoint\(\s*["`]([^"`]+)["`]/g);
    return [...calls].map(([, name = ""]) => name.replaceAll(/\$\{[^}]*\}/g, "*"));
  });
  return [...new Set(names)].toSorted();
}

/** Those of the sources' names that nothing in the lists stands for. */
export function missingIn(
  names: readonly string[],
  lists: readonly PointLists[],
): readonly string[] {
  const reached = lists.flatMap((list) => Object.values(list).flat());
  return names.filter((name) => {
    const words = name
      .split("*")
      .map((word) => word.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
    const pattern = new RegExp(`^${words.join("[^:/]+")}(?:[:/]|$)`);
    return !reached.some((point) => pattern.test(point));
  });
}
