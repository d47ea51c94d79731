import type { FailureRecord } from "./domain/operation.ts";
import { Failure } from "./errors.ts";

/** A failure as plain data, for the journal and the wire. */
export function failureRecord(failure: Failure): FailureRecord {
  return {
    code: failure.code,
    message: failure.message,
    hint: failure.hint ?? null,
    evidence: [...failure.evidence],
    retryable: failure.retryable,
  };
}

export function failureOf(record: FailureRecord): Failure {
  return new Failure(record.code, record.message, {
    ...(record.hint === null ? {} : { hint: record.hint }),
    evidence: record.evidence,
    retryable: record.retryable,
  });
}
