import { parseCron } from "#shared/config-files/cron-lines.ts";
import type { VendorMachinery } from "#shared/products/product.ts";
import { type KnownNode, textAt } from "./situation.ts";

/** Does a script of the vendor's act on this node: is one of its cron lines active? */
export function hasActiveVendorLine(node: KnownNode, vendor: VendorMachinery): boolean {
  const text = textAt(node.facts, vendor.cronFile);
  if (text === null) return false;
  return Object.values(parseCron(text, vendor.cronFile).vendor).some(
    ({ state }) => state === "active" || state === "duplicate",
  );
}

/** The cron checks of any node: after a takeover no line is active anywhere. */
export function isVendorInCharge(nodes: readonly KnownNode[], vendor: VendorMachinery): boolean {
  return nodes.some((node) => hasActiveVendorLine(node, vendor));
}
