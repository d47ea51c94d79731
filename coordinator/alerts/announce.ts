import type { Events } from "../events.ts";
import type { Store } from "../store/store.ts";

/** Each change of an alert as an event, which is a line in the log: the sink that is always there. */
export function announceAlerts(store: Pick<Store, "watchAlerts">, events: Events): Disposable {
  return store.watchAlerts(({ alert, kind }) => {
    const { id, cause, severity, summary, node } = alert;
    const data = { id, cause, severity, summary };
    switch (kind) {
      case "acknowledged":
        events.emit("alert:acknowledged", { node }, { ...data, by: alert.acknowledgedBy ?? "?", note: alert.note }); // prettier-ignore
        return;
      case "unmuted":
        // Told by the end of the mute.
        return;
      case "opened":
      case "changed":
      case "reopened":
      case "resolved":
        events.emit(`alert:${kind}`, { node }, data);
    }
  });
}
