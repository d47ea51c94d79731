import type * as z from "zod";

/** Whole facts with every watched file's masked text are the largest message. */
export const maxMessageBytes = 8 * 1024 * 1024;

export type Decoded<T> =
  { readonly ok: true; readonly message: T } | { readonly ok: false; readonly reason: string };

/** Never throws on what a peer sends: a message of the schema, or the reason why it is none. */
export function decode<T>(schema: z.ZodType<T>, data: unknown, isBinary: boolean): Decoded<T> {
  if (isBinary) return { ok: false, reason: "binary frame; messages are JSON text" };
  const text = typeof data === "string" ? data : String(data);
  if (text.length > maxMessageBytes) {
    return {
      ok: false,
      reason: `message of ${text.length} characters; the limit is ${maxMessageBytes}`,
    };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, reason: "not JSON (truncated?)" };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, message: parsed.data };
  const issue = parsed.error.issues[0];
  const where = issue === undefined ? "" : issue.path.map(String).join(".");
  return { ok: false, reason: `${where || "message"}: ${issue?.message ?? "against the schema"}` };
}

export function encode(message: object): string {
  return JSON.stringify(message);
}
