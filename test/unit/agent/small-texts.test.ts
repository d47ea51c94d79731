import { expect, test } from "vitest";
import { passwordLine } from "#agent/adapters/password-line.ts";
import { createTail } from "#agent/adapters/tail.ts";
import { Secret } from "#shared/secret.ts";

const login = { host: "fd00::1", port: 5432, user: "a:b", database: "my\\db", replication: false };

test("colons and backslashes are escaped in a line of a password file", () => {
  expect(passwordLine(login, new Secret("p:w\\"))).toBe(
    "fd00\\:\\:1:5432:my\\\\db:a\\:b:p\\:w\\\\\n",
  );
});

test("a replication login matches the database name replication", () => {
  expect(passwordLine({ ...login, replication: true }, new Secret("x"))).toContain(
    ":replication:a\\:b:x",
  );
});

test("a tail keeps the last lines, whatever the chunks and the line ends are", () => {
  const tail = createTail(3, 10);
  for (const chunk of ["a\nb", "c\r", "\nd\re", "\n", "a line that is too long\nla", "st"])
    tail.add(chunk);
  expect(tail.lines()).toEqual(["e", "a line tha", "last"]);
});
