import type { CommandArgs, CommandResult, Login } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { sqlStateOf } from "./sql-state.ts";
import type { ReadStep } from "./step.ts";

export type LoginResult = CommandResult<"probe-logins">["results"][number];

/** Real logins from this host, side by side; a failure carries the server's own SQLSTATE and words. */
export const probeLogins: ReadStep<"probe-logins"> = {
  verify: async (args: CommandArgs<"probe-logins">, context) => ({
    results: await Promise.all(args.logins.map((login) => tryLogin(login, context))),
  }),
};

const timeoutMs = 5_000;

/** Never throws: 28P01 is a wrong password, 28000 a missing hba line, no SQLSTATE a server that did not answer. */
export async function tryLogin(
  login: Login,
  context: Pick<StepContext, "databases">,
): Promise<LoginResult> {
  const startedAt = performance.now();
  const latency = (): number => Math.round((performance.now() - startedAt) * 10) / 10;
  try {
    await using session = await context.databases.connect(login, { timeoutMs });
    // A walsender gives its answer to no SQL before version 10; this it always does.
    await session.query(login.replication ? "IDENTIFY_SYSTEM" : "SELECT 1 AS one");
    const serverVersion = String(session.versionNumber);
    const base = { login, ok: true, sqlState: null, message: null };
    return { ...base, serverVersion, latencyMs: latency() };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const hint = error instanceof Failure && error.hint !== undefined ? ` ${error.hint}` : "";
    return {
      login,
      ok: false,
      sqlState: sqlStateOf(error),
      message: `${message}${hint}`,
      serverVersion: null,
      latencyMs: latency(),
    };
  }
}
