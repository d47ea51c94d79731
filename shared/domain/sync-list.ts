/** `synchronous_standby_names`: none, every standby, or a list in one of its forms. */
export type SyncList =
  | { readonly kind: "none" }
  | { readonly kind: "any" }
  | {
      readonly kind: "list";
      /** Everything before the names: `1 (`, `FIRST 2 (`, or nothing for the plain form `a, b`. */
      readonly head: string;
      readonly names: readonly string[];
      readonly tail: string;
    }
  | { readonly kind: "broken" };

/** `1 (a, b)`, `ANY 2 (a,b)`, `a, b`, `*`, `` (PostgreSQL docs; the product's scripts write `1 (a,b)`). */
export function parseSyncList(value: string): SyncList {
  const text = value.trim();
  if (text === "") return { kind: "none" };
  if (text === "*") return { kind: "any" };
  const match = /^((?:(?:FIRST|ANY)\s+)?\d+\s*\(\s*)([^()]*?)(\s*\))$/i.exec(text);
  const head = match?.[1] ?? "";
  const tail = match?.[3] ?? "";
  const body = match?.[2] ?? (match === null ? text : "");
  const names = body.split(",").map((name) => name.trim());
  if (names.some((name) => !isListName(name))) return { kind: "broken" };
  const bare = names.map((name) => name.replaceAll(/^"|"$/g, "").replaceAll('""', '"'));
  if (bare.includes("*")) return { kind: "any" };
  return { kind: "list", head, names: bare, tail };
}

/** Adds the name at the end, which is the lowest priority; the same text when it is in the list. */
export function addToSyncList(value: string, name: string): string {
  const list = parseSyncList(value);
  if (list.kind !== "list" || hasSyncName(list, name)) return value;
  const separator = /,\s/.test(value) || list.names.length < 2 ? ", " : ",";
  const names = [...list.names, name].map(printName).join(separator);
  return `${list.head}${names}${list.tail}`;
}

/** Takes the name out; empty where nobody is left. */
export function removeFromSyncList(value: string, name: string): string {
  const list = parseSyncList(value);
  if (list.kind !== "list" || !hasSyncName(list, name)) return value;
  const left = list.names.filter((other) => other.toLowerCase() !== name.toLowerCase());
  if (left.length === 0) return "";
  const separator = /,\s/.test(value) ? ", " : ",";
  return `${list.head}${left.map(printName).join(separator)}${list.tail}`;
}

/** Names are compared without regard to case, as the server does. */
export function hasSyncName(list: SyncList, name: string): boolean {
  if (list.kind === "any") return true;
  return (
    list.kind === "list" && list.names.some((other) => other.toLowerCase() === name.toLowerCase())
  );
}

/** How many standbys a commit waits for; null where the value is broken (PostgreSQL docs: a plain list asks for one). */
export function requiredStandbys(value: string): number | null {
  const { kind } = parseSyncList(value);
  if (kind === "broken") return null;
  return kind === "none" ? 0 : Number(counted.exec(value)?.[1] ?? 1);
}

/** The same list that asks for fewer standbys; empty for none. */
export function askingFor(value: string, count: number): string {
  if (count === 0) return "";
  return value.replace(counted, (head, before: string) => head.replace(before, String(count)));
}

/** `1 (a, b)` */
export function syncListOf(count: number, names: readonly string[]): string {
  return `${count} (${names.map(printName).join(", ")})`;
}

const counted = /^\s*(?:(?:FIRST|ANY)\s+)?(\d+)(?=\s*\()/i;

function isListName(name: string): boolean {
  return (
    name === "*" || /^"(?:[^"]|"")+"$/.test(name) || /^[A-Za-z0-9_$\u0080-\uffff]+$/.test(name)
  );
}

function printName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
