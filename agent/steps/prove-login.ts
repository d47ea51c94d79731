import type { Login } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { tryLogin, type LoginResult } from "./probe-logins.ts";
import type { ReadStep } from "./step.ts";

/** Every login must succeed: the proof, from the new host, that the hba lines and the passwords are right. */
export const proveLogin: ReadStep<"prove-login"> = {
  verify: async (args, context) => {
    const results = await Promise.all(args.logins.map((login) => settledLogin(login, context)));
    const failed = results.filter((result) => !result.ok);
    if (failed.length > 0) {
      const first = failed[0]?.sqlState ?? null;
      throw new Failure(
        first === null ? "DATABASE_UNREACHABLE" : "AUTHENTICATION_FAILED",
        `${failed.length} of ${results.length} logins from this host failed`,
        {
          hint: hintFor(first),
          evidence: failed.map(
            (result) =>
              `${describe(result.login)}: ${result.message ?? ""} (${result.sqlState ?? "no answer"})`,
          ),
          retryable: true,
        },
      );
    }
    return evidence(
      results.map((result) => `${describe(result.login)}: logged in, ${result.latencyMs} ms`),
    );
  },
};

/** A reload is only a signal: for a moment after it the postmaster may still go by the old rules. */
const reloadMs = 2_000;

async function settledLogin(login: Login, context: StepContext): Promise<LoginResult> {
  const until = context.clock.elapsedMs() + reloadMs;
  for (;;) {
    const result = await tryLogin(login, context);
    if (result.ok || result.sqlState !== "28000" || context.clock.elapsedMs() >= until)
      return result;
    await context.clock.sleep(50, context.signal);
  }
}

function describe(login: Login): string {
  const target = login.replication ? "replication" : login.database;
  return `${login.user}@${login.host}:${login.port}/${target}`;
}

function hintFor(sqlState: string | null): string {
  switch (sqlState) {
    case "28P01":
      return "The password in this host's store is wrong: castellan-agent secret set NAME.";
    case "28000":
      return "The server's hba file has no line for this login, or its role may not log in so.";
    case "53300":
      return "The server has no connection or wal sender left: raise max_connections or max_wal_senders.";
    case null:
      return "The server did not answer: look at listen_addresses, its port and the firewall.";
    default:
      return "The server's own message says why.";
  }
}
