import { parseConninfo, printConninfo } from "./conninfo.ts";
import { effective, parseServerConf, setParameter } from "./server-conf.ts";

export type UpstreamPlace = { readonly host: string; readonly port: number };

/**
 * The same connection to another server: user, password, name and whatever else was set stay. null for a string that
 * can't be read.
 */
export function conninfoTo(text: string, { host, port }: UpstreamPlace): string | null {
  const { values, problem } = parseConninfo(text);
  if (problem !== null) return null;
  const next = new Map(values);
  // An address that overrules the host.
  next.delete("hostaddr");
  next.set("host", host);
  next.set("port", String(port));
  return printConninfo(next);
}

/** A file with its primary_conninfo led to another server, where it stands; null where it has none that can be read. */
export function confTo(text: string, upstream: UpstreamPlace): string | null {
  const before = effective(parseServerConf(text)).get("primary_conninfo")?.value ?? "";
  const after = before === "" ? null : conninfoTo(before, upstream);
  return after === null ? null : setParameter(text, "primary_conninfo", after);
}
