import { Failure } from "#shared/errors.ts";
import type { Store } from "../store/store.ts";
import { testMessage } from "./alert-message.ts";
import { announceAlerts } from "./announce.ts";
import { createCommandSink } from "./command-sink.ts";
import { createMutes, type Mutes } from "./mutes.ts";
import { laggingCause } from "./queue.ts";
import type { Sink, Told } from "./sink.ts";
import type { SinkSettings } from "./sink-settings.ts";
import { startTeller, type TellerPorts } from "./teller.ts";
import { createWebhook } from "./webhook.ts";

export type SinkTest = Told & { readonly sink: string; readonly tookMs: number };

export type Alerting = AsyncDisposable & {
  readonly mutes: Mutes;
  /** Sends one marked alert, past the queue. @throws Failure NOT_FOUND, or what `Sink` says */
  test(sink: string, requestedBy: string): Promise<SinkTest>;
};

/** From a change in the journal to everybody who is to hear of it. */
export function startAlerting(
  ports: Omit<TellerPorts, "store"> & { readonly store: Store },
  settings: readonly SinkSettings[],
): Alerting {
  const { store, clock } = ports;
  const sinks = settings.map(createSink);
  forgetOthers(store, sinks, clock.now());
  const announcing = announceAlerts(store, ports.events);
  const mutes = createMutes(ports);
  const records = new Map(store.useSinks(sinks.map(({ name }) => name)).map((r) => [r.name, r]));
  const tellers = sinks.flatMap((sink) => {
    const record = records.get(sink.name);
    return record === undefined ? [] : [startTeller(ports, sink, record)];
  });
  const listening = store.watchAlerts(() => {
    for (const teller of tellers) teller.wake();
  });
  const closing = new AbortController();
  return {
    mutes,
    test: async (name, requestedBy) => {
      const sink = sinks.find((one) => one.name === name);
      if (sink === undefined) throw unknownSink(name, sinks);
      const beganAt = clock.elapsedMs();
      const told = await sink.tell(testMessage(name, requestedBy, clock.now()), closing.signal);
      return { sink: name, ...told, tookMs: Math.round(clock.elapsedMs() - beganAt) };
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      listening[Symbol.dispose]();
      announcing[Symbol.dispose]();
      mutes[Symbol.dispose]();
      await Promise.all(tellers.map((teller) => teller[Symbol.asyncDispose]()));
    },
  };
}

function createSink(settings: SinkSettings): Sink {
  switch (settings.kind) {
    case "webhook":
      return createWebhook(settings);
    case "command":
      return createCommandSink(settings);
  }
}

/** A sink that was taken out of the settings is in no trouble any more. */
function forgetOthers(store: Store, sinks: readonly Sink[], now: number): void {
  const own = new Set(sinks.map(({ name }) => laggingCause(name)));
  for (const { cause } of store.alerts({ open: true })) {
    if (/^sink:.*:lagging$/.test(cause) && !own.has(cause)) store.resolveAlert(cause, now);
  }
}

function unknownSink(name: string, sinks: readonly Sink[]): Failure {
  const names = sinks.map((sink) => sink.name).join(", ");
  return new Failure("NOT_FOUND", `There is no sink ${name}.`, {
    hint: names === "" ? "settings.yaml names none (sinks:)" : `settings.yaml names: ${names}`,
  });
}
