import { Failure } from "#shared/errors.ts";
import { createEvents } from "../events.ts";
import { isClosable } from "../fleet/closable-alerts.ts";
import type { CoordinatorPorts } from "../ports.ts";
import type { AlertRecord } from "../store/store.ts";

/**
 * An operator says that the cause is gone. Refused for what agents see end by themselves.
 * @throws Failure NOT_FOUND, REFUSED
 */
export function closeAlert(
  { store, clock, log }: CoordinatorPorts,
  id: string,
  requestedBy: string,
): AlertRecord {
  const find = (): AlertRecord | null => (/^\d{1,15}$/.test(id) ? store.alert(Number(id)) : null);
  const alert = find();
  if (alert === null) {
    throw new Failure("NOT_FOUND", `There is no alert ${id}.`, { hint: "castellan alert list" });
  }
  if (alert.state === "resolved") return alert;
  if (!isClosable(alert)) {
    throw new Failure(
      "REFUSED",
      `Alert ${id} (${alert.summary}) ends by itself, as soon as its cause does.`,
      {
        hint: `Closed by hand it would hide what is still so. What it rests on: castellan why ${alert.node ?? "NODE"}`,
      },
    );
  }
  createEvents(store, log, clock).emit("alert:closed", { node: alert.node }, { id: alert.id, cause: alert.cause, summary: alert.summary, by: requestedBy }); // prettier-ignore
  store.resolveAlert(alert.cause, clock.now());
  return find() ?? alert;
}
