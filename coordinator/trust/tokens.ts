import type { Store } from "../store/store.ts";
import { hashSecret, randomSecret } from "./hashes.ts";

export type NewToken = { readonly token: string; readonly expiresAt: number };

/** A one-time token with which the agent of this node, and of no other, may join. */
export function createJoinToken(
  store: Pick<Store, "createToken">,
  node: string,
  now: number,
  validMs: number,
): NewToken {
  const token = randomSecret();
  const expiresAt = now + validMs;
  store.createToken({ hash: hashSecret(token), node, createdAt: now, expiresAt });
  return { token, expiresAt };
}
