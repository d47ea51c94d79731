import { readSmallFile } from "./local-system.ts";

/** The name in /etc/passwd of `1001:1001`'s user; null where it has none there (a directory service may know it). */
export async function userNameOf(owner: string): Promise<string | null> {
  const uid = owner.split(":", 1)[0];
  const lines = (await readSmallFile("/etc/passwd"))?.split("\n") ?? [];
  return lines.map((line) => line.split(":")).find((fields) => fields[2] === uid)?.[0] ?? null;
}
