const pattern =
  /^postgres(?:ql)?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?]*)(?:\/([^?]*))?(?:\?([^]*))?$/;

export function isConninfoUri(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text);
}

/**
 * `postgresql://user@10.0.0.1:5432/db?application_name=n` by keyword, as libpq's conninfo_uri_parse_options() reads it
 * (PostgreSQL docs, connection URIs). Several hosts stay one list. Null for what libpq refuses.
 */
export function readConninfoUri(text: string): ReadonlyMap<string, string> | null {
  const [found, user, password, places = "", database, parameters] = pattern.exec(text) ?? [];
  if (found === undefined) return null;
  const hosts = places.split(",").map(readPlace);
  if (hosts.includes(null)) return null;
  const listOf = (part: "host" | "port"): string => hosts.map((place) => place?.[part]).join(",");
  const pairs: (readonly [string, string | undefined])[] = [
    ["user", user],
    ["password", password],
    ["host", listOf("host")],
    ["port", listOf("port")],
    ["dbname", database],
  ];
  for (const parameter of parameters?.split("&") ?? []) {
    const [key = "", value, ...more] = parameter.split("=");
    if (value === undefined || more.length > 0) return null;
    pairs.push(parameter === "ssl=true" ? ["sslmode", "require"] : [key, value]);
  }
  const values = new Map<string, string>();
  for (const [key, value] of pairs) {
    const [name, decoded] = [decodePercent(key), decodePercent(value ?? "")];
    if (name === null || decoded === null) return null;
    if (decoded !== "") values.set(name, decoded);
  }
  return values;
}

function readPlace(text: string): { readonly host: string; readonly port: string } | null {
  const [found, bracketed, bare, port = ""] =
    /^(?:\[([^\]]+)\]|([^:[]*))(?::(.*))?$/.exec(text) ?? [];
  return found === undefined ? null : { host: bracketed ?? bare ?? "", port };
}

/** Bytes, one character each; null for what isn't two digits, and for NUL. */
function decodePercent(text: string): string | null {
  if (/%(?![0-9a-fA-F]{2})|%00/.test(text)) return null;
  return text.replaceAll(/%(..)/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}
