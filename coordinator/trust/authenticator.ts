import type { IncomingHttpHeaders } from "node:http";
import { Failure } from "#shared/errors.ts";
import type { Store } from "../store/store.ts";
import { hashSecret, matchesHash, randomSecret } from "./hashes.ts";

type Authentication =
  { readonly ok: true; readonly node: string } | { readonly ok: false; readonly reason: string };

/** Who is at the other end. The one place that knows how; agent certificates come behind the same calls. */
export type Authenticator = {
  /** `Authorization: Castellan NODE:SECRET` */
  authenticateAgent(headers: IncomingHttpHeaders): Authentication;
  /**
   * Redeems a join token and makes the agent's secret; a secret made before stops being valid.
   * @throws Failure AUTHENTICATION_FAILED saying what is wrong with the token.
   */
  joinAgent(token: string, node: string, now: number): string;
};

export function createAuthenticator(
  store: Pick<Store, "agent" | "putAgent" | "redeemToken">,
): Authenticator {
  return {
    authenticateAgent: ({ authorization }) => {
      const match = /^Castellan ([A-Za-z][A-Za-z0-9_-]{0,62}):([A-Za-z0-9_-]{1,128})$/.exec(
        authorization ?? "",
      );
      const node = match?.[1];
      const secret = match?.[2];
      if (node === undefined || secret === undefined) {
        return { ok: false, reason: "no Authorization header of the form Castellan NODE:SECRET" };
      }
      const agent = store.agent(node);
      // An unknown node takes the same path and time as a wrong secret, and gets the same answer.
      const known = matchesHash(secret, agent?.secretHash ?? noHash);
      return known && agent !== null
        ? { ok: true, node }
        : { ok: false, reason: `the secret of ${node} is wrong, or ${node} never joined` };
    },
    joinAgent: (token, node, now) => {
      const outcome = store.redeemToken(hashSecret(token), node, now);
      if (outcome !== "ok") {
        throw new Failure("AUTHENTICATION_FAILED", tokenProblems[outcome](node), {
          hint: `make a new one: castellan token create --node ${node}`,
        });
      }
      const secret = randomSecret();
      store.putAgent({ node, secretHash: hashSecret(secret), joinedAt: now });
      return secret;
    },
  };
}

const noHash = "0".repeat(64);

const tokenProblems = {
  unknown: () => "No such token.",
  expired: (node: string) => `The token for ${node} has expired.`,
  used: (node: string) => `The token for ${node} was used before; a token works once.`,
  "other-node": (node: string) => `The token was made for another node, not for ${node}.`,
} as const satisfies Record<string, (node: string) => string>;
