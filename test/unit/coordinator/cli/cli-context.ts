import type { ApiClient } from "#coordinator/cli/client.ts";
import type { CliContext } from "#coordinator/cli/context.ts";

export type Said = { readonly out: string[]; readonly err: string[]; exitCode: number };

export const quiet = (): Said => ({ out: [], err: [], exitCode: 0 });

/** A command line without a terminal, whose coordinator answers only what is given. */
export function cliContext(client: Partial<ApiClient>, said: Said): CliContext {
  const unasked = (): never => {
    throw new Error("nobody should ask this");
  };
  return {
    client: () => ({ get: unasked, post: unasked, download: unasked, watch: unasked, ...client }),
    terminal: {
      isInteractive: false,
      print: (lines) => said.out.push(...lines),
      printError: (lines) => said.err.push(...lines),
      draw: () => undefined,
      drawDone: () => undefined,
    },
    requestedBy: "dba@host",
    stateDirectory: () => "/nowhere",
    now: () => Date.now(),
    elapsedMs: () => performance.now(),
    interrupted: new AbortController().signal,
    setExitCode: (code) => {
      said.exitCode = code;
    },
    ask: () => Promise.resolve(null),
  };
}
