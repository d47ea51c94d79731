import { asFailure } from "#shared/errors.ts";
import type { Programs } from "../ports.ts";
import { isIP } from "node:net";
import { probeTcp } from "./local-network.ts";

const resolveMs = 3_000;

type PingAnswer = {
  readonly answer: "alive" | "silent" | "unresolved";
  /** Why ping(8) could not be asked on this host; null where it could. */
  readonly problem: string | null;
};

/**
 * Does this host live? An echo, as the vendor's scripts ask. Without root and raw sockets that takes ping's own
 * capability, or net.ipv4.ping_group_range (icmp(7)); where neither is given, a refused connection tells as much.
 */
export async function ping(
  address: string,
  programs: Programs,
  signal?: AbortSignal,
): Promise<PingAnswer> {
  const run = (program: string, args: readonly string[], timeoutMs: number) =>
    programs.run(program, args, { timeoutMs, ...(signal === undefined ? {} : { signal }) });
  let problem: string | null = null;
  try {
    if (isIP(address) === 0) {
      // By a program with a limit: a name server that is silent would hold a thread of ours.
      const { exitCode } = await run("getent", ["ahosts", address], resolveMs);
      if (exitCode !== 0) return { answer: "unresolved", problem };
    }
    const echo = ["-n", "-c", "2", "-i", "0.2", "-W", "2", "--", address];
    const { exitCode, stderr } = await run("ping", echo, 5_000);
    if (exitCode === 0) return { answer: "alive", problem };
    // ping(8): 1 is no reply, anything else is another trouble.
    if (exitCode !== 1) problem = stderr.at(-1) ?? `ping ended with ${exitCode}`;
  } catch (error) {
    signal?.throwIfAborted();
    problem = asFailure(error).message;
  }
  const answer = await probeTcp(address, 7, 1_000);
  return { answer: answer === "open" || answer === "refused" ? "alive" : answer, problem };
}
