import { readFile } from "node:fs/promises";
import type { Host } from "#test/harness/host.ts";

export type Owners = {
  user(uid: number): string;
  group(gid: number): string;
};

/** Names of a host's users and groups; a number stays one where the host has no name for it. */
export async function ownersOf(host: Host): Promise<Owners> {
  const [users, groups] = await Promise.all([
    namesIn(host.root === "" ? host.path("/etc/passwd") : "/etc/passwd"),
    namesIn(host.root === "" ? host.path("/etc/group") : "/etc/group"),
  ]);
  return {
    user: (uid) => users.get(uid) ?? String(uid),
    group: (gid) => groups.get(gid) ?? String(gid),
  };
}

async function namesIn(file: string): Promise<ReadonlyMap<number, string>> {
  const lines = (await readFile(file, "utf8").catch(() => "")).split("\n");
  return new Map(
    lines.reverse().flatMap((line) => {
      const [name = "", , id = ""] = line.split(":");
      return name === "" ? [] : [[Number(id), name] as const];
    }),
  );
}
