import type { CommandArgs, CommandKind, CommandResult } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { Clock } from "#shared/time.ts";
import { failureOf } from "#shared/failure-record.ts";
import type { CommandRequest, Dispatch } from "../hub/command-board.ts";
import type { AgentView, Fleet } from "../ports.ts";

export type FleetPorts = {
  readonly agents: {
    view(node: string): AgentView | null;
    views(): readonly AgentView[];
    watch(listener: () => void): Disposable;
    observe(node: string): Promise<void>;
    tellBaselines(node: string): void;
    dispatch(node: string, request: CommandRequest): Dispatch;
  };
  readonly clock: Clock;
  readonly askMs: number;
  readonly newId: () => string;
};

/** The fleet as operations and the API see it. */
export function createFleet({ agents, clock, askMs, newId }: FleetPorts): Fleet {
  return {
    agent: (node) => agents.view(node),
    agents: () => agents.views(),
    watch: (listener) => agents.watch(listener),
    observe: async (nodes) => {
      await Promise.all(nodes.map((node) => agents.observe(node)));
    },
    tellBaselines: (node) => agents.tellBaselines(node),
    ask: async <K extends CommandKind>(
      node: string,
      kind: K,
      args: CommandArgs<K>,
      { timeoutMs = askMs }: { readonly timeoutMs?: number } = {},
    ): Promise<CommandResult<K>> => {
      const isThere = (): boolean => agents.view(node)?.connected === true;
      if (!isThere()) throw unreachable(node, kind, "is not connected");
      const dispatch = agents.dispatch(node, {
        id: `ask/${newId()}`,
        operationId: null,
        stepId: "ask",
        kind,
        phase: "run",
        args,
        preconditions: { systemIdentifier: null, role: null, timeline: null },
      });
      const done = new AbortController();
      const giveUp = async (): Promise<void> => {
        for (let waited = 0; waited < timeoutMs; waited += stepMs) {
          await clock.sleep(Math.min(stepMs, timeoutMs - waited), done.signal);
          if (!isThere()) return dispatch.abandon(unreachable(node, kind, "went away"));
        }
        dispatch.cancel();
        dispatch.abandon(unreachable(node, kind, `gave no answer within ${timeoutMs} ms`));
      };
      giveUp().catch(() => undefined); // ended by `done`
      try {
        const outcome = await dispatch.ended;
        if (outcome.outcome !== "done") throw failureOf(outcome.failure);
        return outcome.result as CommandResult<K>; // validated against the kind's schema on arrival
      } finally {
        done.abort();
      }
    },
  };
}

const stepMs = 200;

function unreachable(node: string, kind: string, what: string): Failure {
  return new Failure("NODE_UNREACHABLE", `The agent of ${node} ${what} (asked for ${kind}).`, {
    hint: `on ${node}: systemctl status castellan-agent`,
    retryable: true,
  });
}
