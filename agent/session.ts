import type { ClusterView, PeerSight } from "#shared/domain/cluster-view.ts";
import type { Progress } from "#shared/domain/commands.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import type { Decision, RuleClass } from "#shared/domain/guard.ts";
import type { Log } from "#shared/log.ts";
import { decode, encode, maxMessageBytes } from "#shared/protocol/codec.ts";
import {
  closeCodes,
  CoordinatorMessage,
  type AgentMessage,
  type CoordinatorMessage as Message,
} from "#shared/protocol/messages.ts";
import { backoffMs, watchForSetting, type Clock } from "#shared/time.ts";
import { protocolVersion, version } from "#shared/version.ts";
import type { Link, LinkEnd, OpenLink } from "./adapters/coordinator-link.ts";
import type { CommandRunner } from "./command-runner.ts";
import type { EndedCommand } from "./commands-on-disk.ts";
import { createEventOutbox } from "./event-outbox.ts";
import { createFactsStream } from "./facts-stream.ts";
import { fitFacts } from "./fit-message.ts";
import type { DecisionRing } from "./guard/decision-ring.ts";
import type { HostEvent } from "./host-event.ts";
import { reconnectAdvice } from "./reconnect-advice.ts";

export type SessionOptions = {
  readonly node: string;
  /** New at every start. */
  readonly instanceId: string;
  readonly openLink: OpenLink;
  readonly backoff: { readonly firstMs: number; readonly mostMs: number };
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly makeId: () => string;
  readonly runner: Pick<
    CommandRunner,
    "receive" | "cancel" | "acknowledge" | "unacknowledged" | "highestEpoch" | "meetEpoch"
  >;
  readonly decisions: Pick<DecisionRing, "waiting" | "acknowledge">;
  readonly reserve: (operationId: string, classes: readonly RuleClass[], forMs: number) => void;
  readonly observeNow: () => Promise<NodeFacts>;
  readonly setBaselines: (files: Extract<Message, { type: "baselines" }>["files"]) => void;
  readonly setCluster: (cluster: string, view: ClusterView | null) => Promise<void>;
  readonly setSights: (peers: readonly PeerSight[]) => void;
};

export type Session = AsyncDisposable & {
  start(): void;
  facts(facts: NodeFacts): void;
  hostEvent(event: HostEvent): void;
  /** One that the ring keeps: it is told again until it is acknowledged. */
  decision(decision: Decision): void;
  /** The coordinator's clock, from this host's, as it was at the welcome; null without one that is in charge. */
  coordinatorAheadMs(): number | null;
  commandAccepted(commandId: string): void;
  commandProgress(commandId: string, progress: Progress): void;
  commandEnded(ended: EndedCommand): void;
};

const greetingMs = 10_000;
/** More than this waiting to be sent: what can be told later is told later. */
const crowdedBytes = 2 * 1024 * 1024;
/** The other end does not read at all. */
const mostWaitingBytes = 4 * maxMessageBytes;
/** A link that lived less is no reason to start the backoff anew. */
const steadyMs = 10_000;

/**
 * The agent's end of the link; everything else works on without it.
 *  waiting  - between two attempts
 *  greeting - connecting, then hello sent; ends with welcome, a close, or the limit
 *  live     - welcomed: the whole facts first, then what nobody acknowledged, then news
 *  closed   - for good
 */
export function createSession(options: SessionOptions): Session {
  const { clock, log, runner } = options;
  const closing = new AbortController();
  const stream = createFactsStream();
  const outbox = createEventOutbox(options.makeId);
  let live: Link | null = null;
  let coordinatorAheadMs: number | null = null;
  /** By one that was here before: what this one says of the cluster is of another time. */
  let isOutranked = false;
  let current: Link | null = null;
  let latest: NodeFacts | null = null;
  let lastReason: string | null = null;
  let running: Promise<void> | null = null;

  const send = (message: AgentMessage, canWait = false): void => {
    if (live === null || (canWait && live.waitingBytes > crowdedBytes)) return;
    live.send(encode(message));
    if (live.waitingBytes > mostWaitingBytes) live.terminate("the coordinator does not read");
  };

  const sendDecision = (decision: Decision): void => {
    if (live?.takesDecisions === true) send({ type: "decision", decision });
  };

  const sendFacts = (whole: boolean, answers?: number): void => {
    if (live === null || latest === null) return;
    // Not made now: the next look makes one message of all that changed since.
    if (!whole && live.waitingBytes > crowdedBytes) return;
    const message = whole ? stream.whole(latest) : stream.next(latest);
    if (message === null) return;
    const answer = answers === undefined ? message : { ...message, answers };
    const fitted = fitFacts(answer, maxMessageBytes);
    if (fitted === null) {
      log.error("The facts are larger than a message may be, even without files' texts.");
      stream.forget();
      return;
    }
    if (fitted.leftOut.length > 0) {
      log.warn(
        { files: fitted.leftOut },
        "The texts of these watched files did not fit a message.",
      );
    }
    live.send(fitted.text);
  };

  const goLive = async (link: Link, welcome: Extract<Message, { type: "welcome" }>) => {
    const isCurrent = await runner.meetEpoch(welcome.epoch).catch((error: unknown) => {
      // A full disk: facts still help whoever has to mend it, and commands are refused with that reason.
      log.error({ err: error }, "The coordinator's epoch could not be stored.");
      return true;
    });
    isOutranked = !isCurrent;
    if (!isCurrent) {
      log.error(
        { epoch: welcome.epoch, highestEpoch: runner.highestEpoch() },
        "This coordinator is older than one that was here before: its commands are refused.",
      );
    }
    if (current !== link) return;
    live = link;
    lastReason = null;
    log.info(
      { coordinatorVersion: welcome.coordinatorVersion, epoch: welcome.epoch },
      "Connected to the coordinator.",
    );
    stream.forget();
    sendFacts(true);
    for (const ended of runner.unacknowledged()) send({ type: "command-ended", ...ended });
    for (const event of outbox.waiting()) send(event);
    for (const decision of options.decisions.waiting()) sendDecision(decision);
  };

  /** Complete by type; welcome is for greeting only. */
  const handlers: {
    readonly [T in Exclude<Message["type"], "welcome">]: (
      message: Extract<Message, { type: T }>,
    ) => void | Promise<void>;
  } = {
    command: ({ command }) => runner.receive(command),
    "command-acknowledged": ({ commandId }) => runner.acknowledge(commandId),
    "cancel-command": ({ commandId, epoch }) => runner.cancel(commandId, epoch),
    "host-event-acknowledged": ({ eventId }) => outbox.acknowledge(eventId),
    "decision-acknowledged": ({ id, outcome }) => {
      // Of an older coordinator's record nobody will know.
      if (!isOutranked) options.decisions.acknowledge(id, outcome ?? null);
    },
    reserve: ({ operationId, classes, forMs }) => {
      if (!isOutranked) options.reserve(operationId, classes, forMs);
    },
    "resend-facts": () => sendFacts(true),
    "observe-now": async ({ question }) => {
      const asker = live;
      latest = await options.observeNow();
      // Over another link the number may be that of another coordinator's question.
      sendFacts(true, live === asker ? question : undefined);
    },
    baselines: ({ files }) => options.setBaselines(files),
    "cluster-view": async ({ cluster, view }) => {
      if (!isOutranked) await options.setCluster(cluster, view);
    },
    sights: ({ peers }) => {
      if (!isOutranked) options.setSights(peers);
    },
  };

  const dispatch = async (message: Exclude<Message, { type: "welcome" }>): Promise<void> => {
    // The key is the message's own type: TypeScript can't correlate the two through the record.
    const handler = handlers[message.type] as (message: Message) => void | Promise<void>;
    try {
      await handler(message);
    } catch (error) {
      log.error({ err: error, message: message.type }, "A message could not be carried out.");
    }
  };

  /** One connection from dialling to its end. */
  const connectOnce = (): Promise<LinkEnd & { readonly liveMs: number }> =>
    new Promise((resolve) => {
      let liveSince: number | null = null;
      let silentMs = 0;
      let awakeAtMs = clock.elapsedMs();
      let lostAfterMs = Number.POSITIVE_INFINITY;
      const clockSetBy = watchForSetting(clock);
      let heartbeat: NodeJS.Timeout | undefined;
      const greeting = setTimeout(() => link.terminate("no welcome in time"), greetingMs);
      let isStale = false;
      const giveUp = (reason: string): void => {
        isStale = true;
        link.terminate(reason);
      };
      /** What the link still brings may be of another time: it is sent again over a new one. */
      const becameStale = (): boolean => {
        const sleptMs = clock.elapsedMs() - awakeAtMs;
        awakeAtMs += sleptMs;
        // The coordinator counts what expires by this clock, which hello tells it.
        const setBy = clockSetBy();
        if (sleptMs > lostAfterMs) giveUp(`this agent did not run for ${Math.round(sleptMs)} ms`);
        else if (setBy !== 0) giveUp(`this host's clock was set by ${Math.round(setBy)} ms`);
        return isStale;
      };
      const beat = (everyMs: number): void => {
        if (becameStale()) return;
        silentMs += everyMs;
        if (silentMs > lostAfterMs)
          link.close(closeCodes.nothingHeard, `nothing heard for ${lostAfterMs} ms`); // prettier-ignore
        // It asks at the same pace; an answer to that is heard there.
        else if (silentMs > everyMs) link.ping();
      };
      const bad = (reason: string): void => {
        log.warn({ reason }, "The coordinator sent what is no message.");
        link.close(closeCodes.badMessage, reason);
      };
      const receive = (data: unknown, isBinary: boolean): void => {
        if (current !== link || becameStale()) return;
        const decoded = decode(CoordinatorMessage, data, isBinary);
        if (!decoded.ok) {
          bad(decoded.reason);
          return;
        }
        const { message } = decoded;
        if (message.type !== "welcome") {
          if (liveSince === null) bad(`${message.type} before welcome`);
          else void welcomed.then(() => dispatch(message)); // dispatch never rejects
          return;
        }
        if (liveSince !== null) {
          bad("a second welcome");
        } else if (message.protocol !== protocolVersion) {
          const reason = `coordinator ${message.coordinatorVersion} speaks protocol ${message.protocol}, this agent ${protocolVersion}`;
          log.error({ reason }, "The coordinator and this agent don't fit.");
          link.close(closeCodes.wrongProtocol, reason);
        } else {
          clearTimeout(greeting);
          coordinatorAheadMs = message.clockMs - clock.now();
          liveSince = performance.now();
          lostAfterMs = message.heartbeat.lostAfterMs;
          heartbeat = setInterval(() => beat(message.heartbeat.everyMs), message.heartbeat.everyMs);
          welcomed = goLive(link, message).catch((error: unknown) => {
            log.error({ err: error }, "The link could not be taken into use.");
            link.terminate("see the agent's log");
          });
        }
      };
      let welcomed: Promise<void> = Promise.resolve();
      const link = options.openLink({
        onOpen: () =>
          link.send(
            encode({
              type: "hello",
              protocol: protocolVersion,
              agentVersion: version,
              node: options.node,
              instanceId: options.instanceId,
              highestEpoch: runner.highestEpoch(),
              clockMs: clock.now(),
            } satisfies AgentMessage),
          ),
        onMessage: receive,
        onHeard: () => {
          silentMs = 0;
        },
        onEnd: (end) => {
          clearTimeout(greeting);
          clearInterval(heartbeat);
          if (live === link) live = null;
          if (current === link) current = null;
          resolve({ ...end, liveMs: liveSince === null ? 0 : performance.now() - liveSince });
        },
      });
      current = link;
    });

  const run = async (): Promise<void> => {
    for (let attempt = 0; !closing.signal.aborted; attempt += 1) {
      const end = await connectOnce();
      if (closing.signal.aborted) return;
      if (end.liveMs >= steadyMs) attempt = 0;
      const advice = reconnectAdvice(end);
      // Said when it is news: a coordinator that stays away for a night is one line.
      if (end.reason !== lastReason) {
        const hint = advice.hint === null ? {} : { hint: advice.hint };
        log[advice.pace === "slowly" ? "error" : "warn"](
          { reason: end.reason, code: end.code ?? end.httpStatus, ...hint },
          "No connection to the coordinator; this host works on and tries again.",
        );
        lastReason = end.reason;
      }
      const slow = { firstMs: 5 * options.backoff.mostMs, mostMs: 15 * options.backoff.mostMs };
      const settings = advice.pace === "slowly" ? slow : options.backoff;
      await clock.sleep(backoffMs(settings, attempt, options.random()), closing.signal);
    }
  };

  return {
    start: () => {
      // Its sleeps reject when the session is closed; nothing else does.
      running ??= run().catch((error: unknown) => {
        if (!closing.signal.aborted) log.fatal({ err: error }, "The session ended by itself.");
      });
    },
    facts: (facts) => {
      latest = facts;
      sendFacts(false);
    },
    hostEvent: (event) => send(outbox.add(event)),
    decision: sendDecision,
    coordinatorAheadMs: () => (live === null || isOutranked ? null : coordinatorAheadMs),
    commandAccepted: (commandId) => send({ type: "command-accepted", commandId }),
    commandProgress: (commandId, progress) =>
      send({ type: "command-progress", commandId, progress }, true),
    commandEnded: (ended) => send({ type: "command-ended", ...ended }),
    [Symbol.asyncDispose]: async () => {
      closing.abort(new Error("closing"));
      current?.close(1000, "the agent is stopping");
      await running;
    },
  };
}
