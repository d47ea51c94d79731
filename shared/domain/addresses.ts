import { parseIp } from "../config-files/ip-address.ts";

/** `10.0.0.9/24` → `10.0.0.9` */
export function bareAddress(address: string): string {
  const slash = address.indexOf("/");
  return slash === -1 ? address : address.slice(0, slash);
}

/** The prefix of `10.0.0.9/24`; null where there is none. */
export function prefixOf(address: string): number | null {
  const match = /\/(\d{1,3})$/.exec(address);
  return match?.[1] === undefined ? null : Number(match[1]);
}

/** Range that means this one address: `10.0.0.9` → `10.0.0.9/32`; null for a host name. */
export function singleAddressRange(address: string): string | null {
  const ip = parseIp(address);
  return ip === null ? null : `${address}/${ip.family === 4 ? 32 : 128}`;
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: string): boolean {
  const ip = parseIp(address);
  if (ip === null) return address === "localhost";
  return ip.family === 4 ? ip.bits >> 24n === 127n : ip.bits === 1n;
}

export function isSameAddress(a: string, b: string): boolean {
  const x = parseIp(a);
  const y = parseIp(b);
  if (x === null || y === null) return a.toLowerCase() === b.toLowerCase();
  return x.family === y.family && x.bits === y.bits;
}
