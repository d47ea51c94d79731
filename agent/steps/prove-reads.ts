import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { text } from "./row-values.ts";
import type { ReadStep } from "./step.ts";

/** A pool chooses the node of a session by weight: with an even share of three, 60 sessions miss one in 1 of 10^10. */
const mostSessions = 60;

/** No table and no catalog is named, so that the pool may send it to any node. */
const whoAnswers =
  "SELECT host(inet_server_addr()) AS address, CAST(inet_server_port() AS text) AS port";

export const proveReads: ReadStep<"prove-reads"> = {
  verify: async (args, context) => {
    const wanted = await resolve(args.nodeAddress);
    const begun = context.clock.elapsedMs();
    const answered = new Map<string, number>();
    for (let asked = 1; asked <= mostSessions; asked += 1) {
      context.signal.throwIfAborted();
      const who = await askOnce(args, context);
      answered.set(who, (answered.get(who) ?? 0) + 1);
      if (who === `${wanted}:${args.nodePort}`) {
        const line = `read ${asked} through ${args.pool.host}:${args.pool.port} was answered by ${who}`;
        return { ...evidence([line]), readsAsked: asked, readsAnsweredByNode: 1 };
      }
      if (context.clock.elapsedMs() - begun > args.stallMs) break;
    }
    const by = [...answered].map(([who, times]) => `${who} answered ${times}`);
    throw new Failure(
      "VERIFICATION_FAILED",
      `no read through ${args.pool.host}:${args.pool.port} was answered by ${wanted}:${args.nodePort}`,
      {
        hint: "Is the backend up with a weight above 0, load_balance_mode on, and its replication delay below delay_threshold?",
        evidence: by,
        retryable: true,
      },
    );
  },
};

/** A session each: the node is chosen when a session begins. */
async function askOnce(
  { pool }: CommandArgs<"prove-reads">,
  { databases }: StepContext,
): Promise<string> {
  await using session = await databases.connect(
    { ...pool, replication: false, secret: "database" },
    { timeoutMs: 10_000 },
  );
  const [row] = await session.query(whoAnswers);
  return row === undefined ? "nobody" : `${text(row, "address")}:${text(row, "port")}`;
}

/** The server names itself by address; cluster.yaml may name it by host name. */
async function resolve(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new Failure("NODE_UNREACHABLE", `${host} has no address on this host`, { cause: error });
  }
}
