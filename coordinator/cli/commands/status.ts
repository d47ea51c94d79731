import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { StatusAnswer } from "../../api/contract.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { printResult, type CliContext } from "../context.ts";
import { withExamples, withJson } from "../options.ts";
import { renderStatus } from "../render/status.ts";

type Options = { readonly watch?: boolean; readonly json?: boolean };

/** Beside those of failures: docs/errors.md. */
export const stateExitCodes = { healthy: 0, degraded: 20, down: 21 } as const;

/** A coordinator that was restarted is back soon: somebody looks on to see just that. */
const askAgainMs = 500;
const ageEveryMs = 1_000;

export function addStatusCommands(program: Command, context: CliContext): void {
  const command = withJson(
    program
      .command("status")
      .description("is it all right, and if not, what to do; exits 0, 20 (degraded) or 21 (down)")
      .argument("[cluster]", "one cluster only")
      .option("--watch", "drawn anew whenever something changes, until Ctrl-C"),
  );
  withExamples(command, "status", "status ESHA --watch");
  command.action(async (cluster: string | undefined, options: Options) => {
    const status = await readStatus(context, cluster);
    if (options.watch === true) {
      await watchStatus(context, cluster, options);
      return;
    }
    printResult(context, options.json, status, renderStatus(status));
    context.setExitCode(stateExitCodes[status.state]);
  });
}

/** @throws Failure VERSION_MISMATCH where the coordinator is one that judges nothing. */
export async function readStatus(
  context: CliContext,
  cluster: string | undefined,
): Promise<StatusAnswer> {
  const status = await context.client().get<StatusAnswer>(`/status${only(cluster)}`);
  if ("state" in status) return status;
  throw new Failure("VERSION_MISMATCH", "The coordinator that runs is older than this program.", {
    hint: "systemctl restart castellan-coordinator",
  });
}

async function watchStatus(
  context: CliContext,
  cluster: string | undefined,
  { json }: Options,
): Promise<void> {
  const { interrupted, terminal } = context;
  let last: { readonly status: StatusAnswer; readonly atMs: number } | null = null;
  const draw = (): void => {
    if (last === null) return;
    const at = last.status.at + context.elapsedMs() - last.atMs;
    terminal.draw(renderStatus({ ...last.status, at }));
  };
  const isDrawn = terminal.isInteractive && json !== true;
  // What it shows is pushed; only ages grow by themselves.
  const aging = isDrawn ? setInterval(draw, ageEveryMs) : null;
  let isAway = false;
  try {
    while (!interrupted.aborted) {
      try {
        const path = `/status/watch${only(cluster)}`;
        for await (const status of context.client().watch<StatusAnswer>(path, interrupted)) {
          isAway = false;
          last = { status, atMs: context.elapsedMs() };
          if (isDrawn) draw();
          else terminal.print(json === true ? [JSON.stringify(status)] : renderStatus(status));
        }
      } catch (error) {
        const failure = asFailure(error);
        if (interrupted.aborted) break;
        if (failure.code !== "COORDINATOR_UNREACHABLE") throw failure;
        // What nobody tells any more is not shown as if it were so.
        last = null;
        if (!isAway) terminal.printError([`${failure.message} Asks again.`]);
        isAway = true;
      }
      await sleep(askAgainMs, null, { signal: interrupted }).catch(() => null); // Ctrl-C: seen above
    }
  } finally {
    if (aging !== null) clearInterval(aging);
    terminal.drawDone();
  }
}

function only(cluster: string | undefined): string {
  return cluster === undefined ? "" : `?cluster=${encodeURIComponent(cluster)}`;
}
