import type { ProductId } from "#shared/domain/cluster.ts";
import type { Lab } from "#test/harness/lab.ts";
import type { LoadStats } from "#test/harness/load-generator/messages.ts";

export type DemoResult = {
  readonly ok: boolean;
  readonly product: ProductId;
  readonly registration: string;
  readonly addNodeSeconds: number;
  readonly bytesCopied: number;
  readonly clientQueries: number;
  readonly clientErrors: number;
  readonly sessionsLost: number;
  readonly stallP95Ms: number;
  readonly stallMaxMs: number;
  readonly rowsAcknowledged: number;
  readonly rowsReadBack: number;
  readonly readsAnsweredByNewNode: number;
};

/** Without the packet filter each session may reconnect once; with it nobody may notice anything. */
export function isProved(result: DemoResult, stats: LoadStats, lab: Lab): boolean {
  const nobodyCut = result.clientErrors === 0 && result.sessionsLost === 0;
  return (
    (nobodyCut || (lab.mode === "loopback" && stats.lossesOfOneSession <= 1)) &&
    result.rowsReadBack === result.rowsAcknowledged &&
    result.rowsAcknowledged > 0 &&
    result.readsAnsweredByNewNode > 0
  );
}

export function proofLines(result: DemoResult, stats: LoadStats, lab: Lab, ok: boolean): string[] {
  return [
    "",
    "Proof:",
    `  added in               ${result.addNodeSeconds.toFixed(1)} s, ${(result.bytesCopied / 1024 ** 2).toFixed(0)} MiB copied, registered by ${result.registration}`,
    `  rows                   ${result.rowsReadBack} of ${result.rowsAcknowledged} acknowledged keys read back from srv159`,
    `  reads                  ${result.readsAnsweredByNewNode} client reads answered by srv159`,
    `  client queries         ${result.clientQueries}, errors ${result.clientErrors}, sessions lost ${result.sessionsLost}`,
    `  stall of a statement   p95 ${result.stallP95Ms.toFixed(0)} ms, longest ${result.stallMaxMs.toFixed(0)} ms`,
    ...reconnects(stats, lab),
    ...complaints(stats),
    ok ? "Proved." : "NOT proved.",
  ];
}

function reconnects(stats: LoadStats, lab: Lab): string[] {
  if (stats.sessionsLost === 0) return [];
  return [
    `  reconnects             at most ${stats.lossesOfOneSession} of each session, at work again within ${stats.longestReconnectMs.toFixed(0)} ms`,
    ...(lab.mode === "loopback"
      ? [
          "                         (for about 0.1 s, while a pool takes the node in, it cuts whoever speaks to it or connects;",
          "                         holding the door meanwhile takes a packet filter, and that takes root)",
        ]
      : []),
  ];
}

/** The last errors of clients, each message once. */
function complaints({ errors }: LoadStats): string[] {
  return [...new Set(errors.map(({ message }) => message))].map((message) => {
    const clients = errors.filter((error) => error.message === message).map(({ client }) => client);
    return `  ${message}: ${[...new Set(clients)].join(", ")}`;
  });
}
