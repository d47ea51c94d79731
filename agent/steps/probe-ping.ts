import { Failure } from "#shared/errors.ts";
import { probeTcp } from "../adapters/local-network.ts";
import type { StepContext } from "../ports.ts";

/** Which of the trust addresses answer: one echo each, as the vendor's scripts ask, all at the same time. */
export function pingAll(
  addresses: readonly string[],
  context: StepContext,
): Promise<{ address: string; reachable: boolean }[]> {
  return Promise.all(
    addresses.map(async (address) => ({ address, reachable: await answers(address, context) })),
  );
}

async function answers(address: string, context: StepContext): Promise<boolean> {
  try {
    const args = ["-n", "-c", "2", "-i", "0.2", "-W", "2", "--", address];
    const result = await context.programs.run("ping", args, { timeoutMs: 5_000 });
    if (result.exitCode === 0) return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
  // No ping on this host, or not for this user: a refused connection is a host that lives as well.
  const answer = await probeTcp(address, 7, 1_000);
  return answer === "open" || answer === "refused";
}
