import { expect, test } from "vitest";
import { databaseFailure } from "#agent/adapters/database-failure.ts";

function error(code: string | null, message = "said the server"): Error {
  return code === null ? new Error(message) : Object.assign(new Error(message), { code });
}

test.each([
  ["28P01", "AUTHENTICATION_FAILED", false],
  ["28000", "AUTHENTICATION_FAILED", false],
  ["57P03", "DATABASE_UNREACHABLE", true],
  ["57P01", "DATABASE_UNREACHABLE", true],
  ["08006", "DATABASE_UNREACHABLE", true],
  ["53300", "DATABASE_UNREACHABLE", true],
  ["53400", "RESOURCE_MISSING", false],
  ["57014", "STALLED", true],
  ["42501", "REFUSED", false],
  ["42710", "ALREADY_EXISTS", false],
  ["40001", "OPERATION_CONFLICT", true],
  ["55006", "OPERATION_CONFLICT", true],
  ["42601", "PROGRAM_FAILED", false],
])("SQLSTATE %s is %s, and stands in the message", (code, failure, retryable) => {
  const found = databaseFailure("u@h:1/d", error(code), "replication");
  expect(found).toMatchObject({ code: failure, retryable });
  expect(found.message).toBe(`u@h:1/d: said the server (SQLSTATE ${code})`);
});

test.each([
  ["ECONNREFUSED", "DATABASE_UNREACHABLE", true],
  ["ENOENT", "DATABASE_UNREACHABLE", true],
  ["ENOTFOUND", "DATABASE_UNREACHABLE", false],
])("errno %s is %s", (code, failure, retryable) => {
  const found = databaseFailure("u@h:1/d", error(code), "replication");
  expect(found).toMatchObject({ code: failure, retryable });
  expect(found.message).toBe(`u@h:1/d: said the server (${code})`);
});

test.each([
  ["Connection terminated unexpectedly", "DATABASE_UNREACHABLE"],
  ["timeout expired", "DATABASE_UNREACHABLE"],
  ["Query read timeout", "STALLED"],
  ["SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string", "AUTHENTICATION_FAILED"],
  ["something that never happened before", "INTERNAL"],
])("the driver's words %j are %s", (message, failure) => {
  expect(databaseFailure("u@h:1/d", error(null, message), "pcp").code).toBe(failure);
});

test("a hint about a password names the secret, one about a limit says what to do", () => {
  const { hint } = databaseFailure("u@h:1/d", error("28P01"), "database");
  expect(hint).toBe("Give this host the right password: castellan-agent secret set database");
  expect(databaseFailure("u@h:1/d", error("53400"), "database").hint).toContain("Drop one");
});
