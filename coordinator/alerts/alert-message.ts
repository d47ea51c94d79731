import type { AlertChange } from "../store/store.ts";

/** What a sink is told: a change of an alert, with the time of the telling. */
export type AlertMessage = {
  readonly change: AlertChange;
  readonly isTest: boolean;
  readonly now: number;
};

/** As it is sent: what goes to the URL besides, and with it. */
export type Rendered = {
  readonly body: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
};

/** The alert as in `castellan alert show --json`, and what has happened to it. `id` is the same however often it is sent. */
export function jsonMessage({ change, isTest }: AlertMessage): object {
  const { alert, kind, changedAt, eventId } = change;
  return { version: 1, id: eventId, event: kind, at: changedAt, test: isTest, alert };
}

/** A test alert: nothing in the journal. */
export function testMessage(sink: string, requestedBy: string, now: number): AlertMessage {
  return {
    isTest: true,
    now,
    change: {
      kind: "opened",
      revision: 0,
      changedAt: now,
      eventId: `test-${now}`,
      alert: {
        id: 0,
        cause: `castellan:test:${sink}`,
        severity: "info",
        node: null,
        rule: null,
        file: null,
        line: null,
        summary: `test of sink ${sink}, asked for by ${requestedBy}`,
        detail: "nothing is wrong",
        fix: null,
        who: null,
        state: "open",
        firstSeenAt: now,
        lastSeenAt: now,
        count: 1,
        acknowledgedAt: null,
        acknowledgedBy: null,
        note: null,
        isMuted: false,
      },
    },
  };
}
