import { createHash } from "node:crypto";
import { decodeBase64 } from "#shared/config-files/base64.ts";
import { secretsIn } from "#shared/config-files/mask-secrets.ts";
import { splitLines } from "#shared/config-files/text-file.ts";
import type { FileNote } from "#shared/domain/facts.ts";

/** The vendor's default (public install script, build B0290), those of its examples, and what is tried first everywhere. */
const wellKnown: readonly string[] = [
  "KINGBASEADMIN",
  "123456",
  "12345678",
  "admin",
  "changeme",
  "kingbase",
  "manager",
  "password",
  "pgpool",
  "postgres",
  "system",
];

/** Which lines hold a password that everybody knows, in clear, in base64 or as a hash of md5. Told without the password. */
export function passwordNotes(format: string, text: string): { readonly notes?: FileNote[] } {
  const lines = splitLines(text);
  const numbers = secretsIn(format, text)
    .filter(({ line, secret }) => isWellKnown(secret, lines[line - 1]?.text ?? ""))
    .map(({ line }) => line);
  if (numbers.length === 0) return {};
  return { notes: [...new Set(numbers)].map((line) => ({ line, code: "well-known-password" })) };
}

function isWellKnown(secret: string, line: string): boolean {
  // A commented line is a sample.
  if (/^\s*#/.test(line)) return false;
  const value = secret.trim().replace(/^(["'])(.*)\1$/, "$2");
  // pgpool docs: TEXT before a password that the file keeps in clear.
  const clear = [value, value.replace(/^TEXT/, ""), decodeBase64(value)];
  if (clear.some((text) => text !== null && wellKnown.includes(text))) return true;
  const hash = /^(?:md5)?([0-9a-f]{32})$/i.exec(value)?.[1]?.toLowerCase();
  if (hash === undefined) return false;
  // pcp.conf hashes the password alone, the pool's password file with the user's name behind it.
  const user = line.slice(0, line.indexOf(":")).trim();
  return wellKnown.some((word) => [md5(word), md5(word + user)].includes(hash));
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
