import { asFailure, type Failure } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Clock } from "#shared/time.ts";
import type { Events } from "../events.ts";
import type { SinkRecord, Store } from "../store/store.ts";
import { afterFailure, isWanted, laggingCause, noTrouble, takeStock } from "./queue.ts";
import type { Sink } from "./sink.ts";

export type TellerPorts = {
  readonly store: Pick<
    Store,
    "alertChanges" | "changedAlerts" | "standingChanges" | "setTold" | "raiseAlert" | "resolveAlert"
  >;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Events;
  readonly random: () => number;
  /** The most that wait for one sink. */
  readonly mostWaiting: number;
};

export type Teller = AsyncDisposable & {
  /** Something has changed: looked at at once, unless the sink is in trouble and waits. */
  wake(): void;
};

/**
 * Tells one sink of every change, one at a time and in order, until it has taken it. What waits is not kept here: it is
 * what stands in the journal after the revision that was told last. So a restart loses nothing, and tells again what was
 * under way.
 */
export function startTeller(ports: TellerPorts, sink: Sink, record: SinkRecord): Teller {
  const { store, clock, log, events } = ports;
  const { name } = sink;
  const closing = new AbortController();
  const queueSink = { ...sink, firstRevision: record.firstRevision };
  let from = record.toldRevision;
  let trouble = noTrouble;
  let isToldOf: "nothing" | "failing" | "dropping" = "nothing";
  let isWoken = true;
  let wakeUp = (): void => undefined;

  /** Every other sink may hear that this one does not. */
  const alertLagging = (as: "failing" | "dropping", failure: Failure | null): void => {
    if (isToldOf === as || isToldOf === "dropping") return;
    isToldOf = as;
    const because = failure === null ? "" : `${failure.message}\n${failure.evidence.join("\n")}`;
    const summary =
      as === "failing"
        ? `sink ${name} does not take alerts`
        : `sink ${name} does not take alerts: some were given up`;
    const rule = `What waits is told when it takes them again; more than ${ports.mostWaiting} (limits.sinkQueue) are not kept, the oldest go. castellan alert test ${name} shows the trouble.`;
    store.raiseAlert(
      { cause: laggingCause(name), severity: "warning", node: null, summary, detail: `${because}\n${rule}`.trim(), fix: `castellan alert test ${name}` }, // prettier-ignore
      clock.now(),
    );
  };

  let asked: readonly number[] = [];
  const waitForTurn = (): number => {
    if (sink.mostPerMinute === null) return 0;
    const now = clock.elapsedMs();
    asked = asked.filter((at) => now - at < 60_000);
    const [first = now] = asked;
    if (asked.length >= sink.mostPerMinute) return 60_000 - (now - first);
    asked = [...asked, now];
    return 0;
  };

  const failed = (failure: Failure, revision: number | null): number => {
    const after = afterFailure(trouble, failure, ports.random());
    if (trouble.failures === 0) events.emit("sink:failed", {}, { sink: name, because: failure.message }); // prettier-ignore
    trouble = after.trouble;
    if (after.passOver && revision !== null) giveUp(1, revision, failure);
    else if (after.isLagging) alertLagging("failing", failure);
    return after.waitMs;
  };

  const giveUp = (count: number, upTo: number, failure: Failure | null): void => {
    store.setTold(name, upTo);
    from = Math.max(from, upTo);
    events.emit("sink:gave-up", {}, { sink: name, count, because: failure?.message ?? "too many wait" }); // prettier-ignore
    alertLagging("dropping", failure);
  };

  const took = (): void => {
    if (trouble.failures > 0) events.emit("sink:recovered", {}, { sink: name, failures: trouble.failures }); // prettier-ignore
    trouble = noTrouble;
  };

  /** Answers for how long to wait before the next look; null: until something changes. */
  const tellNext = async (): Promise<number | null> => {
    const stock = takeStock(queueSink, from, store.changedAlerts(from), ports.mostWaiting);
    // Also what is passed over: with other settings, or its mute gone, it would be news after a restart.
    if (stock.passedUpTo > from) store.setTold(name, stock.passedUpTo);
    from = stock.passedUpTo;
    if (stock.dropped !== null) giveUp(stock.dropped.count, stock.dropped.upTo, null);
    if (stock.next === null) {
      // While it fails, nothing says that it takes alerts again.
      if (trouble.failures === 0) {
        isToldOf = "nothing";
        store.resolveAlert(laggingCause(name), clock.now());
      }
      return null;
    }
    const waitMs = waitForTurn();
    if (waitMs > 0) return waitMs;
    const revision = stock.next;
    const change = store.alertChanges(revision - 1, 1)[0];
    // It has changed again meanwhile.
    if (change?.revision !== revision) return 0;
    const message = { change, isTest: false, now: clock.now() };
    const failure = await outcome(() => sink.tell(message, closing.signal));
    if (closing.signal.aborted) return null;
    if (failure !== null) return failed(failure, revision);
    store.setTold(name, revision);
    from = revision;
    took();
    return 0;
  };

  const tellAgain = async (): Promise<number | null> => {
    const changes = store.standingChanges().filter(({ alert, revision }) => isWanted(queueSink, { ...alert, revision })); // prettier-ignore
    if (changes.length === 0 || sink.repeat === null) return null;
    const { repeat } = sink;
    const messages = changes.map((change) => ({ change, isTest: false, now: clock.now() }));
    const failure = await outcome(() => repeat.tell(messages, closing.signal));
    if (closing.signal.aborted) return null;
    if (failure !== null) return failed(failure, null);
    took();
    return 0;
  };

  const run = async (): Promise<void> => {
    let repeatAt = clock.elapsedMs() + (sink.repeat?.everyMs ?? Infinity);
    while (!closing.signal.aborted) {
      isWoken = false;
      let waitMs: number | null;
      try {
        const isTime = clock.elapsedMs() >= repeatAt;
        if (isTime) repeatAt = clock.elapsedMs() + (sink.repeat?.everyMs ?? Infinity);
        waitMs = isTime ? await tellAgain() : await tellNext();
      } catch (error) {
        // The journal can't be read or written now: whatever was told is told again.
        log.error({ err: error, sink: name }, "a sink could not be served");
        waitMs = journalWaitMs;
      }
      if (waitMs === null) await idle(repeatAt - clock.elapsedMs());
      else if (waitMs > 0) await clock.sleep(waitMs, closing.signal).catch(() => undefined); // closing: seen above
    }
  };

  const idle = async (mostMs: number): Promise<void> => {
    if (isWoken || closing.signal.aborted) return;
    const timeUp = new AbortController();
    await new Promise<void>((resolve) => {
      wakeUp = resolve;
      if (Number.isFinite(mostMs)) clock.sleep(Math.max(0, mostMs), timeUp.signal).then(resolve, resolve); // prettier-ignore
    });
    timeUp.abort();
  };

  const wake = (): void => {
    isWoken = true;
    wakeUp();
  };
  const over = run();
  return {
    wake,
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      wake();
      await over;
    },
  };
}

const journalWaitMs = 2_000;

async function outcome(tell: () => Promise<unknown>): Promise<Failure | null> {
  try {
    await tell();
    return null;
  } catch (error) {
    return asFailure(error);
  }
}
