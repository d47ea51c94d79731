import { expect, test } from "vitest";
import fc from "fast-check";
import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import { addNodeToYaml } from "#coordinator/cluster-file/add-node-to-yaml.ts";
import { removeNodeFromYaml } from "#coordinator/cluster-file/remove-node-from-yaml.ts";
import { takeNodeFromYaml } from "#coordinator/cluster-file/take-node-from-yaml.ts";
import { parseClusterFile } from "#coordinator/cluster-file/parse.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import { createWorld } from "../world.ts";

const text = `# our cluster, asked for by the billing team
cluster:
  name: PG     # short
  product: postgresql
  pool: {kind: pgpool}

nodes:   # never renumber
    -   name: a
        address: "10.0.0.1"   # rack 1
        management: true
        # the old primary

    -   name: b
        address: 10.0.0.2
        port: 5433
        # spare disk in b

# end of the file
`;

function node(part: Partial<NodeDeclaration> = {}): NodeDeclaration {
  const [first] = parseClusterFile("PG.yaml", text).nodes;
  if (first === undefined) throw new Error("no node");
  return {
    ...first,
    name: "c",
    address: "10.0.0.3",
    slot: "slot_c",
    backendId: 2,
    pool: null,
    ...part,
  };
}

test("a node is added at the end of the list, in its style, and nothing else changes", () => {
  const edited = addNodeToYaml("PG.yaml", text, node({ port: 5444 }));
  const added =
    "    -   name: c\n        address: 10.0.0.3\n        port: 5444\n        backend: 2\n";
  expect(edited).toBe(
    text.replace("        # spare disk in b\n", `        # spare disk in b\n${added}`),
  );
});

test("what is added reads back as it was meant, whatever differs from the defaults", () => {
  const other = node({
    nic: "eth1",
    slot: "other_slot",
    port: 5999,
    paths: {
      root: null,
      binDirectory: "/opt/pg/bin",
      dataDirectory: "/srv/c",
      configFile: "/etc/c/postgresql.conf",
      hbaFile: "/srv/c/pg_hba.conf",
      identFile: "/etc/c/pg_ident.conf",
    },
  });
  const edited = addNodeToYaml("PG.yaml", text, other);
  expect(parseClusterFile("PG.yaml", edited).nodes.at(-1)).toEqual(other);
});

test("adding the same node twice changes nothing the second time", () => {
  const once = addNodeToYaml("PG.yaml", text, node());
  expect(addNodeToYaml("PG.yaml", once, node())).toBe(once);
});

test("a name that another node has is refused", () => {
  expect(() => addNodeToYaml("PG.yaml", text, node({ name: "b" }))).toThrow(
    expect.objectContaining({ code: "ALREADY_EXISTS" }),
  );
});

test("a list in one line grows in that line", () => {
  const flow = `cluster: {name: PG, product: postgresql, pool: {kind: none}}
nodes: [{name: a, address: 10.0.0.1}] # all of them
`;
  const edited = addNodeToYaml("PG.yaml", flow, node({ backendId: null }));
  expect(edited).toBe(flow.replace("10.0.0.1}]", "10.0.0.1}, { name: c, address: 10.0.0.3 }]"));
});

test("items in braces and a file without a last newline are no obstacle", () => {
  const odd = `cluster: {name: PG, product: postgresql, pool: {kind: none}}
nodes:
- {name: a, address: 10.0.0.1}`;
  const edited = addNodeToYaml("PG.yaml", odd, node({ backendId: null }));
  expect(edited).toBe(`${odd}\n- name: c\n  address: 10.0.0.3\n`);
});

test("what follows the list stays behind it", () => {
  const turned = `nodes:
  - name: a
    address: 10.0.0.1
    slot: slot_a # dash - in a comment
cluster:
  name: PG
  product: postgresql
  pool: {kind: none}
`;
  const edited = addNodeToYaml("PG.yaml", turned, node({ backendId: null }));
  expect(edited).toBe(turned.replace("cluster:", "  - name: c\n    address: 10.0.0.3\ncluster:"));
});

test("Windows line endings are kept", () => {
  const edited = addNodeToYaml("PG.yaml", text.replaceAll("\n", "\r\n"), node());
  expect(edited.replaceAll("\r\n", "")).not.toContain("\n");
});

test("every line of the file is still there after an edit, in its order", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4 }),
      fc.constantFrom("", "# note", "\n", "   # deep note"),
      fc.boolean(),
      (indent, comment, blankLine) => {
        const lead = " ".repeat(indent);
        const list = ["a", "b"].map(
          (name, i) =>
            `${lead}- name: ${name}\n${lead}  address: 10.0.0.${i + 1} ${comment.trim()}\n`,
        );
        const file = `cluster: {name: PG, product: postgresql, pool: {kind: none}}\nnodes:\n${list.join(blankLine ? "\n" : "")}${comment}\n# end\n`;
        const edited = addNodeToYaml("PG.yaml", file, node({ backendId: null }));
        const kept = edited.split("\n").filter((line) => !/name: c$|10\.0\.0\.3$/.test(line));
        expect(kept.join("\n")).toBe(file);
        expect(parseClusterFile("PG.yaml", edited).nodes).toHaveLength(3);
      },
    ),
  );
});

test("a printed declaration reads back as the same one, for both products and every layout", () => {
  for (const product of ["postgresql", "kingbase-v8r3"] as const) {
    for (const pool of [true, false]) {
      for (const loopback of [true, false]) {
        const { declaration } = createWorld({ product, pool, loopback });
        const printed = printClusterYaml(declaration, ["a guess"]);
        expect(parseClusterFile("ESHA.yaml", printed)).toEqual(declaration);
        expect(printed).toContain("# Check: a guess");
      }
    }
  }
  const debian = createWorld({ debian: true }).declaration;
  expect(parseClusterFile("ESHA.yaml", printClusterYaml(debian))).toEqual(debian);
});

test("what was added is taken out again, byte for byte", () => {
  const flow = "cluster: {name: PG, product: postgresql, pool: {kind: pgpool}}\nnodes: [{name: a, address: 10.0.0.1, management: true}, {name: b, address: 10.0.0.2}]\n"; // prettier-ignore
  for (const before of [text, text.replaceAll("\n", "\r\n"), flow]) {
    const added = addNodeToYaml("PG.yaml", before, node());
    expect(added).not.toBe(before);
    expect(takeNodeFromYaml("PG.yaml", added, node())).toBe(before);
    expect(takeNodeFromYaml("PG.yaml", before, node())).toBe(before);
  }
});

test("an entry that a person has edited since is not taken out", () => {
  const edited = addNodeToYaml("PG.yaml", text, node()).replace(
    "address: 10.0.0.3",
    "address: 10.0.0.3 # rack 3",
  );
  expect(takeNodeFromYaml("PG.yaml", edited, node())).toBeNull();
});

test("an entry is removed whoever wrote it, and the others stay what they are", () => {
  const last = removeNodeFromYaml("PG.yaml", text, "b");
  expect(parseClusterFile("PG.yaml", last).nodes.map(({ name }) => name)).toEqual(["a"]);
  expect(text.startsWith(last.slice(0, last.indexOf("# the old primary")))).toBe(true);
  const edited = addNodeToYaml("PG.yaml", text, node()).replace("10.0.0.3", "10.0.0.3 # rack 3");
  expect(removeNodeFromYaml("PG.yaml", edited, "c")).toBe(text);
  expect(removeNodeFromYaml("PG.yaml", text, "c")).toBe(text);
});

test("a removal that would give another node another number is refused", () => {
  const [first] = parseClusterFile("PG.yaml", text).nodes;
  const shifts = () => removeNodeFromYaml("PG.yaml", text, "a");
  expect(first?.backendId).toBe(0);
  expect(shifts).toThrow("a can't be taken out of PG.yaml as it is written.");
});
