import type { SecretName } from "#shared/domain/commands.ts";
import { Failure, type FailureCode } from "#shared/errors.ts";
import { errnoOf } from "./file-failure.ts";

type Row = {
  /** SQLSTATE, its class (two characters), or an errno name. */
  readonly code: string;
  readonly failure: FailureCode;
  readonly retryable: boolean;
  readonly hint?: string;
};

/** What the server or the network said, and what it means here. First match wins. */
const table: readonly Row[] = [
  {
    code: "28P01",
    failure: "AUTHENTICATION_FAILED",
    retryable: false,
    hint: "Give this host the right password: castellan-agent secret set NAME",
  },
  {
    code: "28000",
    failure: "AUTHENTICATION_FAILED",
    retryable: false,
    hint: "Look at that server's hba file: no line admits this user from this host.",
  },
  { code: "57P01", failure: "DATABASE_UNREACHABLE", retryable: true }, // admin_shutdown
  { code: "57P02", failure: "DATABASE_UNREACHABLE", retryable: true }, // crash_shutdown
  { code: "57P03", failure: "DATABASE_UNREACHABLE", retryable: true }, // cannot_connect_now
  { code: "53300", failure: "DATABASE_UNREACHABLE", retryable: true }, // too_many_connections
  { code: "08", failure: "DATABASE_UNREACHABLE", retryable: true }, // connection exceptions
  { code: "57014", failure: "STALLED", retryable: true }, // statement timeout or cancelled
  { code: "42501", failure: "REFUSED", retryable: false }, // insufficient_privilege
  { code: "42710", failure: "ALREADY_EXISTS", retryable: false }, // duplicate_object
  { code: "42704", failure: "NOT_FOUND", retryable: false }, // undefined_object
  { code: "3D000", failure: "NOT_FOUND", retryable: false }, // no such database
  { code: "55006", failure: "OPERATION_CONFLICT", retryable: true }, // object_in_use
  { code: "40", failure: "OPERATION_CONFLICT", retryable: true }, // serialization, recovery conflict
  {
    code: "53400", // configuration_limit_exceeded: that of replication slots, of all that we ask for
    failure: "RESOURCE_MISSING",
    retryable: false,
    hint: "Drop one that nobody needs; or raise the limit, which takes a restart of that server.",
  },
  { code: "53", failure: "RESOURCE_MISSING", retryable: false }, // disk full, out of memory, limits
  { code: "ECONNREFUSED", failure: "DATABASE_UNREACHABLE", retryable: true },
  { code: "ENOENT", failure: "DATABASE_UNREACHABLE", retryable: true }, // no unix socket
  { code: "ECONNRESET", failure: "DATABASE_UNREACHABLE", retryable: true },
  { code: "EPIPE", failure: "DATABASE_UNREACHABLE", retryable: true },
  { code: "ETIMEDOUT", failure: "DATABASE_UNREACHABLE", retryable: true },
  { code: "EHOSTUNREACH", failure: "DATABASE_UNREACHABLE", retryable: true },
  { code: "ENETUNREACH", failure: "DATABASE_UNREACHABLE", retryable: true },
  { code: "EAI_AGAIN", failure: "DATABASE_UNREACHABLE", retryable: true },
  { code: "ENOTFOUND", failure: "DATABASE_UNREACHABLE", retryable: false },
];

/** pg says these only in words: the connection is gone. */
const lost = /^(Connection terminated|timeout expired|Client was closed|Client has encountered)/;

/** pg's words when the server asks for a password and there is none. */
const noPassword = /password must be a (non-empty )?string/i;

/**
 * A driver's or server's error as a Failure with the SQLSTATE (or errno) in its message; a hint about passwords names
 * the secret.
 */
export function databaseFailure(where: string, error: unknown, secret: SecretName): Failure {
  if (error instanceof Failure) return error;
  const code = errnoOf(error);
  const text = error instanceof Error ? error.message || String(code) : String(error);
  if (code === null && noPassword.test(text)) {
    return new Failure("AUTHENTICATION_FAILED", `${where}: the server asks for a password`, {
      hint: `This host has none for it: castellan-agent secret set ${secret}`,
      cause: error,
    });
  }
  const row = code === null ? undefined : table.find((r) => r.code === code || isClass(r, code));
  if (row === undefined && (lost.test(text) || code === null)) {
    const isTimeout = text === "Query read timeout";
    const failure = lost.test(text) ? "DATABASE_UNREACHABLE" : isTimeout ? "STALLED" : "INTERNAL";
    return new Failure(failure, `${where}: ${text}`, {
      retryable: failure !== "INTERNAL",
      cause: error,
    });
  }
  const said = code === null ? "" : ` (${isSqlState(code) ? "SQLSTATE " : ""}${code})`;
  return new Failure(row?.failure ?? "PROGRAM_FAILED", `${where}: ${text}${said}`, {
    retryable: row?.retryable ?? false,
    ...(row?.hint === undefined ? {} : { hint: row.hint.replace("NAME", secret) }),
    cause: error,
  });
}

function isClass(row: Row, code: string): boolean {
  return row.code.length === 2 && isSqlState(code) && code.startsWith(row.code);
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code);
}
