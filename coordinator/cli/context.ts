import type { ApiClient } from "./client.ts";

/** What the commands know of the world: handed in by main.ts, so that nothing else reads `process`. */
export type CliContext = {
  readonly client: () => ApiClient;
  readonly terminal: Terminal;
  /** `user@host`, stored with what is asked for. */
  readonly requestedBy: string;
  readonly stateDirectory: () => string;
  readonly now: () => number;
  /** Of a clock that nobody sets (shared/time.ts): only differences say something. */
  readonly elapsedMs: () => number;
  /** Aborted by Ctrl-C. */
  readonly interrupted: AbortSignal;
  readonly setExitCode: (code: number) => void;
  /** One line from the operator; null where there is no terminal to ask on. */
  readonly ask: (question: string) => Promise<string | null>;
};

export type Terminal = {
  /** A person looks on: live trees instead of plain lines. */
  readonly isInteractive: boolean;
  readonly print: (lines: readonly string[]) => void;
  readonly printError: (lines: readonly string[]) => void;
  /** Replaces what it drew before. */
  readonly draw: (lines: readonly string[]) => void;
  /** What was drawn stays. */
  readonly drawDone: () => void;
};

/** `--json` prints the value; otherwise its rendering. */
export function printResult(
  context: CliContext,
  json: boolean | undefined,
  value: unknown,
  lines: readonly string[],
): void {
  context.terminal.print(json === true ? [JSON.stringify(value, null, 2)] : lines);
}
