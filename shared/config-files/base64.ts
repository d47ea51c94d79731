import { decodeUtf8, encodeUtf8 } from "./text-file.ts";

/** A password as KingbaseES keeps it in its files: base64 without a newline. This hides nothing. */
export function encodeBase64(clear: string): string {
  return btoa(encodeUtf8(clear));
}

/**
 * The inverse; null when the text isn't base64. The vendor's installer (build B0290) encodes a newline along with the
 * password and the product strips it, so one trailing newline is dropped.
 */
export function decodeBase64(encoded: string): string | null {
  const bare = encoded.trim();
  if (bare.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(bare)) return null;
  return decodeUtf8(atob(bare)).replace(/\r?\n$/, "");
}
