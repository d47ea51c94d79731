import { Failure } from "#shared/errors.ts";
import { resolvedPath } from "../adapters/local-system.ts";

/**
 * A plan's path must be the one that agent.yaml names: a shared file is read before it is edited, and what is wrong in it
 * is told. @throws Failure REFUSED
 */
export async function assertOwnPlace(
  asked: string,
  own: readonly (string | null)[],
  what: string,
): Promise<void> {
  const places = own.filter((place) => place !== null);
  const real = await resolvedPath(asked);
  for (const place of places) if ((await resolvedPath(place)) === real) return;
  throw new Failure(
    "REFUSED",
    `${asked} is not this host's ${what}; agent.yaml names ${places.join(", ") || "none"}`,
    { hint: "Correct the cluster's declaration, or agent.yaml and restart the agent." },
  );
}
