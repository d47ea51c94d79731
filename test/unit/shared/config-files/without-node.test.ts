import * as fc from "fast-check";
import { expect, test } from "vitest";
import { insertRules } from "#shared/config-files/hba-access.ts";
import { withoutNode } from "#shared/config-files/without-node.ts";
import type { HbaRule, NodeEntry } from "#shared/domain/commands.ts";

const hba: NodeEntry = {
  of: "hba",
  file: "/data/pg_hba.conf",
  address: "10.0.0.9/32",
  users: ["SYSTEM", "dba"],
};
const row = {
  id: 1,
  hostname: "10.0.0.9",
  port: 5432,
  weight: 1,
  dataDirectory: "/data",
  applicationName: "srv9",
};
const pool = (isSpare: boolean): NodeEntry => ({
  of: "pool",
  file: "/etc/pgpool.conf",
  row,
  isSpare,
});

test("lines for that client and those roles go, with the comment of the operation above them", () => {
  const text = [
    "# castellan op-abcdefgh",
    "host replication SYSTEM 10.0.0.9/32 md5",
    "host all dba 10.0.0.9 255.255.255.255 trust",
    "# castellan op-abcdefgi",
    "host all dba 10.0.0.8/32 md5",
    "host all app 10.0.0.9/32 md5",
    "host all all 10.0.0.9/32 md5",
    "host all dba 10.0.0.0/24 md5",
    "",
  ].join("\n");
  expect(withoutNode(text, hba).split("\n")).toEqual([
    "# castellan op-abcdefgi",
    "host all dba 10.0.0.8/32 md5",
    "host all app 10.0.0.9/32 md5",
    "host all all 10.0.0.9/32 md5",
    "host all dba 10.0.0.0/24 md5",
    "",
  ]);
});

test("what an addition put into an hba file is what a removal takes out, byte for byte", () => {
  const rule = (database: string, user: string): HbaRule => ({
    type: "host",
    database,
    user,
    address: "10.0.0.9/32",
    method: "md5",
  });
  const line = fc.constantFrom(
    "# a person's note",
    "",
    "local all all peer",
    "host all all 10.0.0.0/8 reject",
    "host replication SYSTEM 10.0.0.8/32 md5",
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const text = lines.map((each) => `${each}\n`).join("");
      const rules = [rule("replication", "SYSTEM"), rule("all", "dba")];
      const options = { continuations: true };
      const added = insertRules(text, rules, "castellan op-abcdefgh", options);
      expect(withoutNode(added, hba)).toBe(text);
    }),
  );
});

test("a row goes with all of its lines if it is that very backend", () => {
  const others = "backend_hostname0 = '10.0.0.8'\nbackend_port0 = 5432\n";
  const ours = "backend_hostname1 = '10.0.0.9'\nbackend_port1 = 5432\nbackend_weight1 = 1\n";
  expect(withoutNode(others + ours, pool(false))).toBe(others);
  const another = others + ours.replace("10.0.0.9", "10.0.0.7");
  expect(withoutNode(another, pool(false))).toBe(another);
});

test("a row below a higher number stays, and is marked once", () => {
  const text = "port = 9999\nbackend_hostname1 = '10.0.0.9'\nbackend_port1 = 5432\n";
  const marked = withoutNode(text, pool(true));
  expect(marked.split("\n")[1]).toBe("# castellan: backend 1 is a spare row, srv9 was removed");
  expect(marked).toHaveLength(text.length + (marked.split("\n")[1]?.length ?? 0) + 1);
  expect(withoutNode(marked, pool(true))).toBe(marked);
});

test("name and address go out of the product's lists", () => {
  const entry: NodeEntry = { of: "ha-lists", file: "/ha", node: "srv9", address: "10.0.0.9" };
  const text = "KB_ALL_IP=(10.0.0.8 10.0.0.9)\nALL_NODE_NAME=(srv8 srv9)\n";
  expect(withoutNode(text, entry)).toBe("KB_ALL_IP=(10.0.0.8)\nALL_NODE_NAME=(srv8)\n");
});
