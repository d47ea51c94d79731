/**
 * How `castellan-root` ends. Its agent shows the message, people find the number in docs.
 *  0  done, or there was nothing to do
 *  1  something that should not happen (a program or the system failed)
 *  2  wrong call: not exactly one known verb, an unknown word on standard input, a wrong install option
 *  3  its settings are missing, wrong, or not safe to trust (not root's, or writable by others)
 *  4  not available on this host: no packet filter, no pool or no cron file in the settings
 *  5  refused: what was found is not what it may touch
 */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  settings: 3,
  unavailable: 4,
  refused: 5,
} as const;

export type ExitName = keyof typeof exitCodes;

/** Ends the helper with that exit code and this message on standard error. */
export class HelperError extends Error {
  override readonly name = "HelperError";
  readonly exit: ExitName;

  constructor(exit: ExitName, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exit = exit;
  }
}
