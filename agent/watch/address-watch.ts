import type { Log } from "#shared/log.ts";
import { backoffMs, type Clock } from "#shared/time.ts";
import { startAddressMonitor, type AddressMonitor } from "../adapters/address-monitor.ts";
import { localAddresses } from "../adapters/local-system.ts";
import { pulse } from "../pulse.ts";

type AddressWatchOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Something moved: look at the whole. */
  readonly onChange: () => void;
  readonly start?: (onLine: () => void) => AddressMonitor;
};

/** A router's table may change all day: one look a second does. */
const restMs = 1_000;
/** For what the program may have missed, and without it. */
const pollEveryMs = { told: 10_000, untold: 1_000 };
const backoff = { firstMs: 1_000, mostMs: 60_000 };
const steadyMs = 10_000;

/** Wakes its listener when an address or route of this host comes or goes, by the kernel's word or by asking. */
export function createAddressWatch(options: AddressWatchOptions): AsyncDisposable {
  const { clock, log, random, onChange, start = startAddressMonitor } = options;
  const closing = new AbortController();
  let monitor: AddressMonitor | null = null;
  let known = addresses();
  let toldAt = Number.NEGATIVE_INFINITY;
  let pending: NodeJS.Timeout | null = null;
  let polledAt = clock.elapsedMs();
  let said = "";

  function tell(): void {
    pending = null;
    toldAt = clock.elapsedMs();
    known = addresses();
    onChange();
  }

  function tellSoon(): void {
    pending ??= setTimeout(tell, Math.max(0, toldAt + restMs - clock.elapsedMs()));
  }

  async function run(): Promise<void> {
    for (let attempt = 0; !closing.signal.aborted; attempt += 1) {
      const startedAt = clock.elapsedMs();
      monitor = start(tellSoon);
      const words = await monitor.ended;
      monitor = null;
      if (closing.signal.aborted) return;
      if (clock.elapsedMs() - startedAt >= steadyMs) attempt = 0;
      if (words !== said) log.info({ problem: words }, "ip monitor ended; addresses are polled until it runs again."); // prettier-ignore
      said = words;
      await clock.sleep(backoffMs(backoff, attempt, random()), closing.signal);
    }
  }

  const running = run().catch(() => undefined); // only its sleep rejects, when we are closing
  const polls = pulse(pollEveryMs.untold, () => {
    const now = clock.elapsedMs();
    if (monitor !== null && now - polledAt < pollEveryMs.told) return;
    polledAt = now;
    if (addresses() !== known) tellSoon();
  });

  return {
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      polls[Symbol.dispose]();
      if (pending !== null) clearTimeout(pending);
      monitor?.[Symbol.dispose]();
      await running;
    },
  };
}

function addresses(): string {
  return JSON.stringify(localAddresses());
}
