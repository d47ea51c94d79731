import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 256 random bits as text: a token or an agent's secret. Only its sha256 is ever stored. */
export function randomSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** A plain hash is enough: what it hides is random, not something a person chose. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Does the secret have this hash? Takes the same time for any wrong one. */
export function matchesHash(secret: string, hash: string): boolean {
  const a = Buffer.from(hashSecret(secret), "hex");
  const b = Buffer.from(hash, "hex");
  return a.length === b.length && timingSafeEqual(a, b);
}
