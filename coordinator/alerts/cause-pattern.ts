/** `node:srv127:file:*` → every cause that begins so. Only `*` is special: any characters, also none. */
export function matchesCause(pattern: string, cause: string): boolean {
  const [first = "", ...others] = pattern.split("*");
  if (others.length === 0) return cause === pattern;
  const last = others.pop() ?? "";
  if (!cause.startsWith(first)) return false;
  let from = first.length;
  for (const part of others) {
    const at = cause.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return cause.length - last.length >= from && cause.endsWith(last);
}
