import { Failure } from "#shared/errors.ts";
import type { Clock } from "#shared/time.ts";
import type { AlertRecord, Store } from "../store/store.ts";

/**
 * Somebody looks after it. The second one to say so hears who was first.
 * @throws Failure NOT_FOUND, OPERATION_CONFLICT, REFUSED for one that is over
 */
export function acknowledgeAlert(
  { store, clock }: { readonly store: Pick<Store, "acknowledgeAlert">; readonly clock: Clock },
  id: string,
  { requestedBy, note }: { readonly requestedBy: string; readonly note: string | null },
): AlertRecord {
  const now = clock.now();
  const acknowledgement = { by: requestedBy, note };
  const alert = /^\d{1,15}$/.test(id) ? store.acknowledgeAlert(Number(id), acknowledgement, now) : null; // prettier-ignore
  if (alert === null) {
    throw new Failure("NOT_FOUND", `There is no alert ${id}.`, { hint: "castellan alert list" });
  }
  if (alert.state === "resolved") {
    throw new Failure("REFUSED", `Alert ${id} is over since ${time(alert.lastSeenAt)}.`, {
      hint: `castellan alert show ${id}`,
    });
  }
  if (alert.acknowledgedBy === requestedBy) return alert;
  throw new Failure(
    "OPERATION_CONFLICT",
    `${alert.acknowledgedBy ?? "Somebody"} has acknowledged alert ${id} at ${time(alert.acknowledgedAt ?? now)}${alert.note === null ? "" : `: ${alert.note}`}.`,
    { hint: `castellan alert show ${id}` },
  );
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
