import { expect, test } from "vitest";
import type { WorldOptions } from "../declared-node.ts";
import { broken, ruleWorld } from "./rule-world.ts";

const ordinary: readonly { readonly name: string; readonly options: WorldOptions }[] = [
  { name: "KingbaseES with its pools", options: {} },
  { name: "a synchronous KingbaseES", options: { synchronous: "1 (srv127, srv129)" } },
  { name: "KingbaseES under the vendor's checks", options: { vendorInCharge: true } },
  { name: "KingbaseES on one host", options: { loopback: true } },
  { name: "PostgreSQL with pools", options: { product: "postgresql" } },
  { name: "PostgreSQL without a pool", options: { product: "postgresql", pool: false } },
  { name: "PostgreSQL in Debian's layout", options: { product: "postgresql", debian: true } },
  { name: "PostgreSQL on one host", options: { product: "postgresql", loopback: true } },
];

test.each(ordinary)("no rule is broken in $name", ({ options }) => {
  expect(broken(ruleWorld(options))).toEqual([]);
});
