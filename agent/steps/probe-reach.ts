import type { CommandResult } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { probeTcp } from "../adapters/local-network.ts";
import type { StepContext } from "../ports.ts";
import type { ReadStep } from "./step.ts";

const tcpTimeoutMs = 2_000;

/** What this host reaches: TCP ports, and ssh without a question, as the vendor's scripts need it. */
export const probeReach: ReadStep<"probe-reach"> = {
  verify: async (args, context) => {
    const [tcp, ssh] = await Promise.all([
      Promise.all(
        args.tcp.map(async ({ host, port }) => ({
          host,
          port,
          answer: await probeTcp(host, port, tcpTimeoutMs),
        })),
      ),
      Promise.all(args.ssh.map(({ host, user }) => trySsh(host, user, context))),
    ]);
    return { tcp, ssh };
  },
};

type SshAnswer = CommandResult<"probe-reach">["ssh"][number];

async function trySsh(host: string, user: string, context: StepContext): Promise<SshAnswer> {
  const options = [
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=5",
    "-o",
    "NumberOfPasswordPrompts=0",
  ];
  try {
    const result = await context.programs.run("ssh", [...options, "-l", user, "--", host, "true"], {
      timeoutMs: 10_000,
      signal: context.signal,
    });
    const message = result.stderr.at(-1) ?? (result.timedOut ? "no answer" : "");
    return { host, user, ok: result.exitCode === 0, message };
  } catch (error) {
    // Not to be asked is an answer too: the check says what would make it possible.
    if (!(error instanceof Failure)) throw error;
    return { host, user, ok: false, message: error.message };
  }
}
