import { findUser } from "#test/harness/users.ts";

/**
 * A PostgreSQL server refuses root, and the agent never is root: a suite that was started by root goes on as
 * `postgres`. Each test file is its own process (vitest pool "forks"), so no other suite notices.
 */
export function becomeDatabaseUser(): void {
  if (process.getuid?.() !== 0) return;
  const user = findUser("postgres");
  if (user === null) throw new Error("root needs a user postgres to run these tests");
  process.setgroups?.([user.gid]);
  process.setgid?.(user.gid);
  process.setuid?.(user.uid);
}
