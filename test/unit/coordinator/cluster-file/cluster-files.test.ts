import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createClusterFiles } from "#coordinator/cluster-file/cluster-files.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import { createWorld } from "../world.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "castellan-clusters-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const { declaration } = createWorld();
const yaml = printClusterYaml(declaration);

test("a created cluster is listed and loads as declared, with the hash of its bytes", () => {
  const files = createClusterFiles(join(folder, "new"));
  expect(files.names()).toEqual([]);
  const created = files.create("ESHA", yaml);
  expect(files.names()).toEqual(["ESHA"]);
  expect(files.load("ESHA")).toEqual(created);
  expect(created.hash).toMatch(/^[0-9a-f]{64}$/);
  expect(created.declaration).toEqual(declaration);
});

test("an existing file is never replaced by an import", () => {
  const files = createClusterFiles(folder);
  files.create("ESHA", yaml);
  expect(() => files.create("ESHA", `${yaml}# other\n`)).toThrow(
    expect.objectContaining({ code: "ALREADY_EXISTS" }),
  );
  expect(readFileSync(join(folder, "ESHA.yaml"), "utf8")).toBe(yaml);
  expect(readdirSync(folder)).toEqual(["ESHA.yaml"]);
});

test("adding a node keeps the file's mode, and a second time changes nothing", () => {
  const files = createClusterFiles(folder);
  files.create("ESHA", yaml);
  chmodSync(join(folder, "ESHA.yaml"), 0o604);
  const [first] = declaration.nodes;
  if (first === undefined) throw new Error("no node");
  const node = { ...first, name: "srv159", address: "192.168.4.159", slot: "slot_srv159" };
  const added = files.addNode("ESHA", node);
  expect(added.declaration.nodes.at(-1)).toEqual(node);
  expect(statSync(join(folder, "ESHA.yaml")).mode & 0o777).toBe(0o604);
  expect(files.addNode("ESHA", node)).toEqual(added);
  expect(readdirSync(folder)).toEqual(["ESHA.yaml"]);
});

test("a file whose name is not the cluster's is refused", () => {
  writeFileSync(join(folder, "OTHER.yaml"), yaml);
  expect(() => createClusterFiles(folder).load("OTHER")).toThrow(/declares the cluster ESHA/);
});

test("an unknown cluster is named, with those that there are; a path is no name", () => {
  const files = createClusterFiles(folder);
  files.create("ESHA", yaml);
  expect(() => files.load("NONE")).toThrow(
    expect.objectContaining({ code: "NOT_FOUND", hint: "Declared are ESHA." }),
  );
  expect(() => files.load("../ESHA")).toThrow(expect.objectContaining({ code: "NOT_FOUND" }));
});

test("what a coordinator that was killed in the middle of a write left beside is swept at the next start", () => {
  createClusterFiles(folder).create("ESHA", yaml);
  writeFileSync(join(folder, ".ESHA.4711.new"), yaml.slice(0, 40));
  writeFileSync(join(folder, ".ESHA.new"), "a person's own");
  createClusterFiles(folder);
  expect(readdirSync(folder).toSorted()).toEqual([".ESHA.new", "ESHA.yaml"]);
});
