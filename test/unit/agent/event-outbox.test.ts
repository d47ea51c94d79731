import { expect, test } from "vitest";
import { createEventOutbox } from "#agent/event-outbox.ts";
import type { HostEvent } from "#agent/host-event.ts";

function event(cause: string, more: Partial<HostEvent> = {}): HostEvent {
  const common = { severity: "warning", summary: "s", detail: "d" } as const;
  return { at: 1, kind: "file-changed", cause, ...common, ...more };
}

function open(most = 3) {
  let id = 0;
  return createEventOutbox(() => `e${(id += 1)}`, most);
}

test("an event waits until it is acknowledged", () => {
  const outbox = open();
  const { eventId } = outbox.add(event("a"));
  outbox.add(event("b"));
  outbox.acknowledge(eventId);
  outbox.acknowledge("never sent");
  expect(outbox.waiting().map((m) => m.cause)).toEqual(["b"]);
});

test("the newest of a cause takes the place of an older one, whose acknowledgement then counts for nothing", () => {
  const outbox = open();
  const older = outbox.add(event("a", { kind: "guard-finding" }));
  outbox.add(event("a", { kind: "guard-cleared" }));
  outbox.acknowledge(older.eventId);
  expect(outbox.waiting()).toMatchObject([{ eventId: "e2", kind: "guard-cleared" }]);
});

test("a long absence keeps the newest causes only, and no detail without end", () => {
  const outbox = open();
  for (const cause of ["a", "b", "c", "a", "d"]) outbox.add(event(cause));
  expect(outbox.waiting().map((m) => m.cause)).toEqual(["c", "a", "d"]);
  expect(outbox.add(event("z", { detail: "x".repeat(1_000_000) })).detail.length).toBeLessThan(
    300_000,
  );
});
