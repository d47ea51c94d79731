import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";

/** Where control groups can be made, in version 2, in systemd's own hierarchy of version 1, or both. */
const hierarchies = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"];

/**
 * Shell: puts itself into a control group named $group. Each systemd host needs one of its own, or they
 * would share one tree and kill each other's services of the same name.
 */
export const joinControlGroup = `for hierarchy in ${hierarchies.join(" ")}; do
  [ -f "$hierarchy/cgroup.procs" ] || continue
  mkdir -p "$hierarchy/$group"
  echo $$ > "$hierarchy/$group/cgroup.procs"
done
`;

/** Removes what a dead systemd host left in the control group file systems. Returns whether nothing is left. */
export function removeControlGroups(group: string): boolean {
  const folders = hierarchies.map((hierarchy) => join(hierarchy, group)).filter(existsSync);
  return folders.map(removeTree).every(Boolean);
}

/** Control groups are removed with rmdir alone, the innermost first. */
function removeTree(folder: string): boolean {
  const inner = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const emptied = inner.map(({ name }) => removeTree(join(folder, name))).every(Boolean);
  if (!emptied) return false;
  try {
    rmdirSync(folder);
    return true;
  } catch {
    // A process in it has not been reaped yet.
    return false;
  }
}
