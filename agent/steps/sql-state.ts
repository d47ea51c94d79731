/** The server's own code of an error, wherever it was wrapped: `28P01`; null when the server said nothing. */
export function sqlStateOf(error: unknown): string | null {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; depth += 1) {
    if ("code" in at && typeof at.code === "string" && /^[0-9A-Z]{5}$/.test(at.code)) {
      // A Failure's own code has more than five letters; errno names are shorter or longer or have no digit.
      if (/\d/.test(at.code)) return at.code;
    }
    const inText = /SQLSTATE[ =:]*([0-9A-Z]{5})\b/.exec(at.message)?.[1];
    if (inText !== undefined) return inText;
    at = at.cause;
  }
  return null;
}
