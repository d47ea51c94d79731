/** An address as a number, so that ranges of either family compare the same way. */
export type IpAddress = { readonly family: 4 | 6; readonly bits: bigint };

/**
 * `192.168.4.127`, `fe80::1`, `::ffff:10.0.0.1`; null for everything else: zone ids, and `010.0.0.1`, which some programs
 * read as octal.
 */
export function parseIp(text: string): IpAddress | null {
  if (text.length > 45) return null;
  if (!text.includes(":")) {
    const bits = parseIpv4(text);
    return bits === null ? null : { family: 4, bits };
  }
  const bits = parseIpv6(text);
  return bits === null ? null : { family: 6, bits };
}

/** As the C library takes it, and PostgreSQL's hba files with it: `10.1` is 10.0.0.1, `010.0.0.1` is 8.0.0.1. */
export function parseNumericHost(text: string): IpAddress | null {
  // A zone does not count when addresses are compared.
  if (text.includes(":")) return parseIp(text.replace(/%[A-Za-z0-9_.-]+$/, ""));
  const parts = text.length > 45 ? [] : text.split(".");
  if (parts.length < 1 || parts.length > 4) return null;
  let bits = 0n;
  for (const [index, part] of parts.entries()) {
    if (!/^(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.test(part)) return null;
    const value = BigInt(part.replace(/^0(?=[0-7])/, "0o"));
    const size = index === parts.length - 1 ? 8 * (5 - parts.length) : 8;
    if (value >= 1n << BigInt(size)) return null;
    bits = (bits << BigInt(size)) | value;
  }
  return { family: 4, bits };
}

function parseIpv4(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let bits = 0n;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null;
    bits = (bits << 8n) | BigInt(part);
  }
  return bits;
}

function parseIpv6(text: string): bigint | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = parseGroups(halves[1] ?? "", true);
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...Array.from({ length: missing }, () => 0n), ...tail];
  return groups.reduce((bits, group) => (bits << 16n) | group, 0n);
}

function parseGroups(text: string, mayEndInIpv4: boolean): readonly bigint[] | null {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (mayEndInIpv4 && index === parts.length - 1 && part.includes(".")) {
      const bits = parseIpv4(part);
      if (bits === null) return null;
      groups.push(bits >> 16n, bits & 0xffffn);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(BigInt(`0x${part}`));
    } else {
      return null;
    }
  }
  return groups;
}

/** `24` for IPv4 gives the bits of 255.255.255.0; null when the family has no such prefix. */
export function prefixMask(family: 4 | 6, prefix: number): bigint | null {
  const size = family === 4 ? 32 : 128;
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > size) return null;
  const ones = (1n << BigInt(prefix)) - 1n;
  return ones << BigInt(size - prefix);
}

/** Host bits in the range's address are ignored, as PostgreSQL does. */
export function isInRange(address: IpAddress, base: IpAddress, mask: bigint): boolean {
  return address.family === base.family && ((address.bits ^ base.bits) & mask) === 0n;
}
