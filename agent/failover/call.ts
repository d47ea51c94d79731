import { Failure } from "#shared/errors.ts";

/** As `%d %h %p %D %m %H %M %P %r %R` of a pool's failover_command say it (pgpool-II docs, failover_command). */
export type PoolCall = {
  readonly failed: number;
  readonly host: string;
  readonly port: number;
  readonly oldPrimary: number;
};

/** @throws Failure USAGE */
export function parseCall(words: readonly string[]): PoolCall {
  const [failed = "", host = "", port = ""] = words;
  const oldPrimary = words[7] ?? "";
  if (
    words.length !== 10 ||
    ![failed, port, oldPrimary].every((word) => /^-?\d{1,5}$/.test(word))
  ) {
    throw new Failure("USAGE", `not what a pool says: ${words.join(" ")}`, {
      hint: "failover_command = '… castellan-failover %d %h %p %D %m %H %M %P %r %R'",
    });
  }
  return { failed: Number(failed), host, port: Number(port), oldPrimary: Number(oldPrimary) };
}
