import type { Command } from "commander";
import type { StatusAnswer } from "../../api/contract.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { printResult, type CliContext } from "../context.ts";
import { withJson } from "../options.ts";
import { renderStatus } from "../render/status.ts";

export function addStatusCommands(program: Command, context: CliContext): void {
  withJson(
    program
      .command("status")
      .description("every cluster and node as the agents see it")
      .option("--watch", "again every second until Ctrl-C"),
  ).action(async (options: { watch?: boolean; json?: boolean }) => {
    const read = () => context.client().get<StatusAnswer>("/status");
    if (options.watch !== true) {
      const status = await read();
      printResult(context, options.json, status, renderStatus(status));
      return;
    }
    // A coordinator that was restarted is back soon: somebody looks on to see just that.
    let wasThere = false;
    while (!context.interrupted.aborted) {
      const status = await read().catch((error: unknown) => {
        const failure = asFailure(error);
        if (context.interrupted.aborted) return null;
        if (failure.code !== "COORDINATOR_UNREACHABLE" || !wasThere) throw failure;
        return failure;
      });
      if (status === null) break;
      wasThere = true;
      if (status instanceof Failure) context.terminal.printError([`${status.message} Asks again.`]);
      else if (options.json === true) context.terminal.print([JSON.stringify(status)]);
      else if (context.terminal.isInteractive) context.terminal.draw(renderStatus(status));
      else context.terminal.print(renderStatus(status));
      await pause(1_000, context.interrupted);
    }
    context.terminal.drawDone();
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
