import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { parseClusterFile } from "#coordinator/cluster-file/parse.ts";
import { Failure } from "#shared/errors.ts";

const minimal = `cluster:
  name: ESHA
  product: kingbase-v8r3
  root: /home/kingbase/cluster/ESHA
nodes:
  - name: srv127
    address: 192.168.4.127
    management: true
  - name: srv129
    address: 192.168.4.129
`;

test("a short file gives the whole declaration, from the product's table", () => {
  expect(parseClusterFile("ESHA.yaml", minimal)).toEqual({
    name: "ESHA",
    product: "kingbase-v8r3",
    pool: "kingbasecluster",
    database: expect.objectContaining({ name: "TEST", replicationUser: "SYSTEM" }),
    virtualAddresses: { database: null, pool: null },
    trustAddresses: [],
    nodes: [
      {
        name: "srv127",
        address: "192.168.4.127",
        port: 54_321,
        slot: "slot_srv127",
        nic: null,
        paths: {
          root: "/home/kingbase/cluster/ESHA",
          binDirectory: "/home/kingbase/cluster/ESHA/db/bin",
          dataDirectory: "/home/kingbase/cluster/ESHA/db/data",
          configFile: "/home/kingbase/cluster/ESHA/db/data/kingbase.conf",
          hbaFile: "/home/kingbase/cluster/ESHA/db/data/sys_hba.conf",
          identFile: "/home/kingbase/cluster/ESHA/db/data/sys_ident.conf",
        },
        backendId: 0,
        pool: expect.objectContaining({
          configFile: "/home/kingbase/cluster/ESHA/kingbasecluster/etc/kingbasecluster.conf",
          port: 9999,
        }),
      },
      expect.objectContaining({ name: "srv129", backendId: 1, pool: null }),
    ],
  });
});

test("what a node says goes before what the cluster says, and that before the product's table", () => {
  const text = `cluster:
  name: PG
  product: postgresql
  dataDirectory: /srv/pg
  pool: {kind: none}
  database: {port: 5433, version: 16}
nodes:
  - {name: a, address: 10.0.0.1}
  - {name: b, address: 10.0.0.2, port: 5444, dataDirectory: /data/b, hbaFile: /etc/b/hba.conf}
`;
  const [a, b] = parseClusterFile("PG.yaml", text).nodes;
  expect(a).toMatchObject({
    port: 5433,
    paths: {
      dataDirectory: "/srv/pg",
      configFile: "/srv/pg/postgresql.conf",
      binDirectory: "/usr/lib/postgresql/16/bin",
    },
  });
  expect(b).toMatchObject({
    port: 5444,
    paths: {
      dataDirectory: "/data/b",
      configFile: "/data/b/postgresql.conf",
      hbaFile: "/etc/b/hba.conf",
    },
  });
});

const broken: readonly { readonly what: string; readonly text: string; readonly says: RegExp }[] = [
  {
    what: "an unknown key, with the one that was meant",
    text: minimal.replace("address: 192.168.4.129", "adress: 192.168.4.129"),
    says: /nodes\[1\]\.adress is not known \(ESHA\.yaml:10:5\)\. Did you mean address\?/,
  },
  {
    what: "an unknown key that is like none, with those that are known",
    text: minimal.replace("product:", "colour: red\n  product:"),
    says: /cluster\.colour is not known \(ESHA\.yaml:3:3\)\. Known are name, product/,
  },
  {
    what: "a port that is too high",
    text: `${minimal}    port: 99999\n`,
    says: /nodes\[1\]\.port is 99999 \(ESHA\.yaml:11:11\); wanted: at most 65535/,
  },
  {
    what: "a missing value",
    text: minimal.replace("    address: 192.168.4.129\n", ""),
    says: /nodes\[1\]\.address is missing \(ESHA\.yaml:9:5\)/,
  },
  {
    what: "a bad slot name",
    text: `${minimal}    slot: Slot-129\n`,
    says: /nodes\[1\]\.slot is "Slot-129" \(ESHA\.yaml:11:11\); wanted: lower-case letters/,
  },
  {
    what: "an unknown product",
    text: minimal.replace("kingbase-v8r3", "oracle"),
    says: /cluster\.product is "oracle" \(ESHA\.yaml:3:12\); wanted: one of kingbase-v8r3, postgresql/,
  },
  {
    what: "a relative path",
    text: minimal.replace("root: /home", "root: home"),
    says: /cluster\.root is .*wanted: an absolute path/,
  },
  {
    what: "a name that two nodes have",
    text: minimal.replace("name: srv129", "name: SRV127"),
    says: /nodes\[1\] \(ESHA\.yaml:9:11\) has the same name as nodes\[0\] \(ESHA\.yaml:6:11\)/,
  },
  {
    what: "an address and port that two nodes have",
    text: minimal.replace("192.168.4.129", "192.168.4.127"),
    says: /same address and port .*192\.168\.4\.127:54321/,
  },
  {
    what: "a slot that two nodes have",
    text: `${minimal}    slot: slot_srv127\n`,
    says: /same slot as nodes\[0\]/,
  },
  {
    what: "a backend number that two nodes have",
    text: minimal.replace("management: true", "backend: 3") + "    backend: 3\n",
    says: /same backend as nodes\[0\]/,
  },
  {
    what: "a virtual address that is given to a node",
    text: minimal.replace("nodes:", "  database: {virtualAddress: 192.168.4.129/24}\nnodes:"),
    says: /nodes\[1\]\.address is 192\.168\.4\.129 \(ESHA\.yaml:11:14\), which is the virtual address of ESHA\.yaml:5:/,
  },
  {
    what: "a management node without a pool",
    text: minimal.replace("nodes:", "  pool: {kind: none}\nnodes:"),
    says: /nodes\[0\]\.management is true .*the cluster has no pool/,
  },
  {
    what: "pool places of a node that runs none",
    text: `${minimal}    pool: {port: 9998}\n`,
    says: /nodes\[1\]\.pool is set .*runs no pool/,
  },
  {
    what: "no nodes",
    text: "cluster: {name: A, product: postgresql}\nnodes: []\n",
    says: /nodes is \[\] .*at least one node/,
  },
  { what: "broken YAML", text: "cluster: [\nnodes: }\n", says: /ESHA\.yaml:\d+:\d+: / },
  {
    what: "a key that stands twice",
    text: minimal.replace("product:", "name: X\n  product:"),
    says: /ESHA\.yaml:3:3/,
  },
  { what: "an empty file", text: "", says: /cluster is missing \(ESHA\.yaml:1:1\)/ },
  {
    what: "another type altogether",
    text: "- 1\n- 2\n",
    says: /the file is \[1,2\] \(ESHA\.yaml:1:1\)/,
  },
];

describe.each(broken)("a file with $what", ({ text, says }) => {
  test("is refused with its place and what would be right", () => {
    const failure = failureOf(() => parseClusterFile("ESHA.yaml", text));
    expect(failure.code).toBe("CONFIG_INVALID");
    expect(failure.evidence.join("\n")).toMatch(says);
  });
});

test("every complaint is listed, the first one is the message", () => {
  const text = minimal
    .replace("name: ESHA", "name: 1ESHA")
    .replace("product: kingbase-v8r3", "product: x");
  const failure = failureOf(() => parseClusterFile("ESHA.yaml", text));
  expect(failure.message).toMatch(/cluster\.name.*and 1 more/);
  expect(failure.evidence).toHaveLength(2);
});

test("aliases that multiply are refused, not expanded", () => {
  const bomb = ["a: &a [x,x,x,x,x,x,x,x,x,x]"];
  for (let i = 0; i < 8; i += 1) {
    const from = String.fromCharCode(97 + i);
    const to = String.fromCharCode(98 + i);
    bomb.push(`${to}: &${to} [${Array.from({ length: 10 }, () => `*${from}`).join(",")}]`);
  }
  expect(failureOf(() => parseClusterFile("ESHA.yaml", bomb.join("\n"))).code).toBe(
    "CONFIG_INVALID",
  );
});

test("a value that contains itself is refused with its place", () => {
  const failure = failureOf(() => parseClusterFile("ESHA.yaml", "&a \n- *a\n"));
  expect(failure.code).toBe("CONFIG_INVALID");
  expect(failure.message).toContain("ESHA.yaml:1:1");
});

test("whatever the text is, the answer is a declaration or CONFIG_INVALID", () => {
  const pieces = fc.constantFrom(
    "cluster:",
    "nodes:",
    "\n",
    "  ",
    "- ",
    "name: a",
    "{",
    "}",
    "[",
    "&a ",
    "*a",
    "'",
    '"',
    "product: postgresql",
    ": ",
    "#",
    "\t",
    "|",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      try {
        parseClusterFile("x.yaml", parts.join(""));
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
        expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      }
    }),
    { numRuns: Number(process.env["FUZZ_RUNS"] ?? 500) },
  );
});

function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
