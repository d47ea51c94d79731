import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPacketFilter, shutRules } from "#agent/root-helper/packet-filter.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "castellan-filter-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the rules hold back data only, end by themselves and replace what was left in one go", () => {
  const rules = shutRules([9999, 9998], 700);
  expect(rules.split("\n").slice(0, 2)).toEqual([
    "add table inet castellan",
    "delete table inet castellan",
  ]);
  expect(rules).toContain("flags timeout; elements = { 9999 timeout 700ms, 9998 timeout 700ms }");
  expect(rules).toContain("tcp dport @held tcp flags & psh == psh drop");
});

test("without nft the set of ipset has the timeout, and both tables look at it", async () => {
  const filter = await findPacketFilter(record(["ipset", "iptables", "ip6tables"]));
  if (typeof filter === "string") throw new Error(filter);
  await filter.shut([9999], 700);
  const rule = "INPUT -p tcp -m set --match-set castellan-held dst --tcp-flags PSH PSH -j DROP";
  expect(calls()).toEqual([
    "ipset list -n",
    "ipset create castellan-held bitmap:port range 0-65535 timeout 1 -exist",
    `iptables -C ${rule}`,
    `iptables -I ${rule}`,
    `ip6tables -C ${rule}`,
    `ip6tables -I ${rule}`,
    // Whole seconds: never less than was asked for, and the element last, when everything else is in place.
    "ipset add castellan-held 9999 timeout 1 -exist",
  ]);
});

test("opening takes the rules away before the set that they name", async () => {
  const filter = await findPacketFilter(record(["ipset", "iptables"]));
  if (typeof filter === "string") throw new Error(filter);
  await filter.open();
  const done = calls().map((call) => call.split(" ").slice(0, 2).join(" "));
  expect(done).toEqual(["ipset list", "iptables -D", "ipset destroy"]);
});

test("a host with neither says so", async () => {
  expect(await findPacketFilter(() => null)).toMatch(/neither nft nor ipset/);
  expect(await findPacketFilter(record(["ipset"]))).toMatch(/neither/);
});

test("an nft that its kernel does not let work says so", async () => {
  expect(await findPacketFilter(record(["nft"], 1))).toMatch(/does not take its rules/);
});

/** Programs that write down their arguments; -C and -D of iptables fail, as where there is no such rule. */
function record(names: readonly string[], exitCode = 0) {
  for (const name of names) {
    const file = join(folder, name);
    const script = `#!/bin/sh
echo "${name} $*" >> ${join(folder, "calls")}
case "$1" in -C|-D) exit 1;; esac
exit ${exitCode}
`;
    writeFileSync(file, script);
    chmodSync(file, 0o755);
  }
  return (name: string): string | null => (names.includes(name) ? join(folder, name) : null);
}

function calls(): readonly string[] {
  const file = join(folder, "calls");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}
