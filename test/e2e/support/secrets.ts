import { createHash } from "node:crypto";

/** A secret as it could stand somewhere, and what it is called in a report. */
export type Spelling = { readonly name: string; readonly text: string };

/** Every password of the cluster, and what else is named, in every spelling that a program could give it. */
export function secretSpellings(
  { passwords }: { readonly passwords: Readonly<Record<string, string>> },
  more: Readonly<Record<string, string>> = {},
): readonly Spelling[] {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries({ ...passwords, ...more })) {
    for (const [form, text] of Object.entries(formsOf(value))) {
      // Most passwords look the same in most forms: the first name stays.
      if (text.length >= 6 && !found.has(text)) found.set(text, `${name}${form}`);
    }
  }
  return [...found].map(([text, name]) => ({ name, text }));
}

function formsOf(value: string): Readonly<Record<string, string>> {
  const json = JSON.stringify(value).slice(1, -1);
  return {
    "": value,
    ...base64Forms(value),
    " in hex": Buffer.from(value).toString("hex"),
    " URL-encoded": encodeURIComponent(value),
    " with quotes doubled": value.replaceAll("'", "''"),
    " with quotes escaped": value.replaceAll(/(['"\\])/g, String.raw`\$1`),
    " as JSON": json,
    " as JSON in JSON": JSON.stringify(json).slice(1, -1),
    " as a pgpass line": value.replaceAll(/([:\\])/g, String.raw`\$1`),
    " hashed": createHash("md5").update(value).digest("hex"),
  };
}

/** Base64 has three looks, by where in the encoded text the value begins; only what depends on it alone counts. */
function base64Forms(value: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [0, 1, 2].map((shift) => {
      const encoded = Buffer.concat([Buffer.alloc(shift), Buffer.from(value)]).toString("base64");
      const from = shift === 0 ? 0 : shift + 1;
      const whole = Math.floor(((shift + Buffer.byteLength(value)) * 8) / 6);
      return [shift === 0 ? " in base64" : ` in base64, ${shift} on`, encoded.slice(from, whole)];
    }),
  );
}

/** Names of the secrets that stand in a text. */
export function secretsIn(spellings: readonly Spelling[], text: string): readonly string[] {
  return spellings.flatMap((secret) => (text.includes(secret.text) ? [secret.name] : []));
}
