import { ping } from "../adapters/ping.ts";
import type { StepContext } from "../ports.ts";

/** Which of the trust addresses answer, all asked at the same time. */
export function pingAll(
  addresses: readonly string[],
  { programs }: StepContext,
): Promise<{ address: string; reachable: boolean }[]> {
  return Promise.all(
    addresses.map(async (address) => {
      const { answer } = await ping(address, programs);
      return { address, reachable: answer === "alive" };
    }),
  );
}
