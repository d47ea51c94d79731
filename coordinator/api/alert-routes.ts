import { Failure } from "#shared/errors.ts";
import { acknowledgeAlert } from "../alerts/acknowledge.ts";
import type { Alerting } from "../alerts/alerting.ts";
import type { CoordinatorPorts } from "../ports.ts";
import { closeAlert } from "./close-alert.ts";
import { AcknowledgeRequest, CloseAlertRequest, MuteRequest, RequestedBy } from "./contract.ts";
import { streamEvents } from "./event-stream.ts";
import { get, post, watch, type Route } from "./routes.ts";

export type AlertPorts = CoordinatorPorts & { readonly alerting: Alerting };

/** Alerts, mutes, sinks and events, in the order of contract.ts. */
export function alertRoutes(ports: AlertPorts): readonly Route[] {
  const { store, alerting } = ports;
  return [
    get("/api/alerts", ({ query }) => store.alerts({ open: query.get("all") !== "1" })),
    get("/api/alerts/:id", ({ parameters }) => {
      const id = parameters["id"] ?? "";
      const alert = /^\d{1,15}$/.test(id) ? store.alert(Number(id)) : null;
      if (alert !== null) return alert;
      throw new Failure("NOT_FOUND", `There is no alert ${id}.`, { hint: "castellan alert list" });
    }),
    post("/api/alerts/:id/close", CloseAlertRequest, ({ parameters, body }) =>
      closeAlert(ports, parameters["id"] ?? "", body.requestedBy),
    ),
    post("/api/alerts/:id/acknowledge", AcknowledgeRequest, ({ parameters, body }) =>
      acknowledgeAlert(ports, parameters["id"] ?? "", body),
    ),
    get("/api/mutes", () => store.mutes()),
    post("/api/mutes", MuteRequest, ({ body }) => alerting.mutes.add(body)),
    post("/api/mutes/:what/remove", RequestedBy, ({ parameters, body }) =>
      alerting.mutes.remove(parameters["what"] ?? "", body.requestedBy),
    ),
    post("/api/sinks/:name/test", RequestedBy, ({ parameters, body }) =>
      alerting.test(parameters["name"] ?? "", body.requestedBy),
    ),
    get("/api/events", ({ query }) => {
      const newest = query.get("newest");
      if (newest !== null) return store.newestEvents(count("newest", newest, 500));
      return store.events(count("after", query.get("after") ?? "0"), 500);
    }),
    watch("/api/events/watch", ({ query }, response) =>
      streamEvents(store, count("after", query.get("after") ?? "0"), response),
    ),
  ];
}

function count(name: string, text: string, most: number = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  const wanted = name === "after" ? "the sequence number of an event, or 0" : `0 to ${most}`;
  throw new Failure("USAGE", `${name} must be ${wanted}.`);
}
