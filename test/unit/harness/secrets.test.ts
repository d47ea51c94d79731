import { expect, test } from "vitest";
import { secretSpellings, secretsIn } from "#test/e2e/support/secrets.ts";

const password = `pa'ss:w\\ord% "1`;
const spellings = secretSpellings(
  {
    passwords: {
      superuser: password,
      replication: "re-0123456789ab",
      app: "app-0123456789ab",
      pcp: "pcp-0123456789ab",
      maintenance: "KINGBASEADMIN",
    },
  },
  { extra: "another-secret" },
);

test.each([
  ["as it is", password],
  ["in base64", Buffer.from(password).toString("base64")],
  ["in base64 behind one other byte", Buffer.from(`:${password}`).toString("base64")],
  ["in base64 within a longer text", Buffer.from(`user=x:${password}@host`).toString("base64")],
  ["URL-encoded", `postgres://u:${encodeURIComponent(password)}@h/d`],
  ["as SQL", `PASSWORD '${password.replaceAll("'", "''")}'`],
  ["as conninfo", String.raw`password='pa\'ss:w\\ord% \"1'`],
  ["as JSON", JSON.stringify({ password })],
  ["as JSON within JSON", JSON.stringify({ line: JSON.stringify({ password }) })],
  ["in hex", Buffer.from(password).toString("hex")],
])("a password is found %s", (_, text) => {
  const found = secretsIn(spellings, `before ${text} after`);
  expect(found.some((name) => name.startsWith("superuser"))).toBe(true);
});

test("what is named besides the passwords is found, and a text without any is clean", () => {
  expect(secretsIn(spellings, "x another-secret y")).toEqual(["extra"]);
  expect(secretsIn(spellings, "password=[secret] md5 KINGBASE")).toEqual([]);
});
