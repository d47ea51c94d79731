import type { HbaField } from "./hba-fields.ts";
import { type IpAddress, parseNumericHost, prefixMask } from "./ip-address.ts";

export type HbaAddress =
  | { readonly kind: "all" | "samehost" | "samenet" }
  | {
      readonly kind: "range";
      readonly base: IpAddress;
      readonly mask: bigint;
      readonly text: string;
    }
  | { readonly kind: "name"; readonly name: string };

export type HbaProblem = {
  readonly kind: "broken";
  readonly at: number;
  readonly message: string;
  readonly hint: string;
};

type ReadAddress =
  | { readonly kind: "address"; readonly address: HbaAddress; readonly fieldCount: 1 | 2 }
  | HbaProblem;

/** `10.0.0.0/8`, or `10.0.0.0 255.0.0.0` in two fields; the rules of parse_hba_line() in PostgreSQL's hba.c. */
export function readHbaAddress(fields: readonly HbaField[], end: number): ReadAddress {
  const [field, maskField] = fields;
  const token = field?.tokens[0];
  if (field === undefined || token === undefined) {
    return broken(end, "the address is missing", "Write an address such as 192.168.4.0/24.");
  }
  if (field.tokens.length > 1) {
    return broken(field.at, "a rule takes one address", "Write one line for each address.");
  }
  const { value, quoted } = token;
  if (!quoted && (value === "all" || value === "samehost" || value === "samenet")) {
    return { kind: "address", address: { kind: value }, fieldCount: 1 };
  }
  const slash = value.indexOf("/");
  const base = parseNumericHost(slash === -1 ? value : value.slice(0, slash));
  if (base === null) {
    if (slash !== -1) {
      return broken(field.at, `${value} is no address range`, "A host name takes no mask.");
    }
    return { kind: "address", address: { kind: "name", name: value }, fieldCount: 1 };
  }
  if (slash !== -1) {
    const digits = value.slice(slash + 1);
    const mask = /^\+?[0-9]{1,9}$/.test(digits) ? prefixMask(base.family, Number(digits)) : null;
    const limit = base.family === 4 ? 32 : 128;
    if (mask === null) {
      return broken(field.at, `${value} has an invalid mask`, `Use a mask from 0 to ${limit}.`);
    }
    return { kind: "address", address: { kind: "range", base, mask, text: value }, fieldCount: 1 };
  }
  const maskText = maskField?.tokens.length === 1 ? (maskField.tokens[0]?.value ?? "") : "";
  const mask = parseNumericHost(maskText);
  if (mask === null || mask.family !== base.family) {
    const hint = `Write ${value}/${base.family === 4 ? 32 : 128}, or a mask after the address.`;
    return broken(field.at, `${value} has no mask`, hint);
  }
  const range = { kind: "range", base, mask: mask.bits, text: `${value} ${maskText}` } as const;
  return { kind: "address", address: range, fieldCount: 2 };
}

function broken(at: number, message: string, hint: string): HbaProblem {
  return { kind: "broken", at, message, hint };
}
