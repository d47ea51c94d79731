import { describe, expect, test } from "vitest";
import { importFrom } from "#coordinator/operations/import/import-from.ts";
import { importCluster } from "#coordinator/operations/import/request.ts";
import { parseClusterFile } from "#coordinator/cluster-file/parse.ts";
import type { WorldOptions } from "../declared-node.ts";
import { change, changeDatabase, changeFile, createWorld, type World } from "../world.ts";
import { agentAway, createFakePorts } from "../fake-ports.ts";

function nodesOf(world: World) {
  return ["srv127", "srv129"].map((name) => {
    const facts = world.facts.get(name);
    if (facts === undefined) throw new Error(`no facts of ${name}`);
    return { name, facts };
  });
}

const layouts: readonly { readonly name: string; readonly options: WorldOptions }[] = [
  { name: "PostgreSQL without a pool", options: {} },
  { name: "PostgreSQL in Debian's layout", options: { debian: true } },
  { name: "KingbaseES with two pools", options: { product: "kingbase-v8r3", pool: true } },
];

describe.each(layouts)("importing $name", ({ options }) => {
  test("gives the declaration that the cluster was built from", () => {
    const world = createWorld(options);
    const { declaration, yaml } = importFrom("ESHA", nodesOf(world));
    expect(declaration).toEqual({
      ...world.declaration,
      // Of these only the vendor's file and a watchdog know.
      trustAddresses: options.product === undefined ? [] : world.declaration.trustAddresses,
    });
    expect(parseClusterFile("ESHA.yaml", yaml)).toEqual(declaration);
  });
});

test("pgpool's own file gives virtual address and trusted servers", () => {
  const world = createWorld({ pool: true });
  changeFile(
    world,
    "srv127",
    "pgpool.conf",
    (text) =>
      `${text}use_watchdog = on\ndelegate_IP = '192.168.4.201'\ntrusted_servers = '192.168.4.1,192.168.4.2'\n`,
  );
  const { declaration } = importFrom("ESHA", nodesOf(world));
  expect(declaration.virtualAddresses).toEqual({ database: null, pool: "192.168.4.201" });
  expect(declaration.trustAddresses).toEqual(["192.168.4.1", "192.168.4.2"]);
  expect(declaration.nodes.map(({ nic, backendId }) => [nic, backendId])).toEqual([
    ["ens33", 0],
    ["ens33", 1],
  ]);
});

test("nodes stand in the order of their rows, and keep their numbers", () => {
  const world = createWorld({ product: "kingbase-v8r3", pool: true });
  for (const node of ["srv127", "srv129"]) {
    changeFile(world, node, "kingbasecluster.conf", (text) =>
      text
        .replaceAll("hostname0", "hostnameX")
        .replaceAll("hostname1", "hostname0")
        .replaceAll("hostnameX", "hostname1"),
    );
  }
  const { declaration } = importFrom("ESHA", nodesOf(world));
  expect(declaration.nodes.map(({ name, backendId }) => [name, backendId])).toEqual([
    ["srv129", 0],
    ["srv127", 1],
  ]);
});

test("what had to be guessed and what doesn't fit is said, also in the file", () => {
  const world = createWorld({ product: "kingbase-v8r3", pool: true });
  changeFile(world, "srv129", "/db/etc/HAmodule.conf", (text) =>
    text.replace('NODE_NAME="srv129"', 'NODE_NAME="node2"'),
  );
  changeFile(world, "srv127", "/db/etc/HAmodule.conf", (text) =>
    text.replace("192.168.4.129)", "192.168.4.129 192.168.4.130)"),
  );
  const { warnings, yaml } = importFrom("ESHA", nodesOf(world));
  expect(warnings.join("\n")).toMatch(/srv129: its HAmodule\.conf says NODE_NAME="node2"/);
  expect(warnings.join("\n")).toMatch(/names 192\.168\.4\.130, but no agent there has joined/);
  for (const warning of warnings) expect(yaml).toContain(`# Check: ${warning}`);
});

test("a node without an address in any file gets its host's first one, and the guess is said", () => {
  const world = createWorld();
  for (const node of ["srv127", "srv129"]) {
    change(world, node, (facts) => ({
      ...facts,
      database: {
        ...facts.database,
        receiver: null,
        settings: { ...facts.database.settings, listen_addresses: "*" },
      },
    }));
  }
  const { declaration, warnings } = importFrom("ESHA", nodesOf(world));
  expect(declaration.nodes.map(({ address }) => address)).toEqual([
    "192.168.4.127",
    "192.168.4.129",
  ]);
  expect(warnings.join()).toContain("is a guess");
});

test("databases of two clusters, and two primaries, are no cluster", () => {
  const two = createWorld();
  changeDatabase(two, "srv129", { systemIdentifier: "999" });
  expect(() => importFrom("ESHA", nodesOf(two))).toThrow(
    /different clusters: srv127 .*srv129 \(999\)/,
  );
  const split = createWorld();
  changeDatabase(split, "srv129", { role: "primary" });
  expect(() => importFrom("ESHA", nodesOf(split))).toThrow(/both primaries/);
});

test("an import writes the file once; a dry run only shows it", async () => {
  const world = createWorld();
  const ports = createFakePorts({
    ...world,
    declaration: {
      ...world.declaration,
      name: "OTHER",
      nodes: world.declaration.nodes.map((node) => ({
        ...node,
        name: `x${node.name}`,
        slot: `x_${node.slot}`,
      })),
    },
  });
  const dry = await importCluster(ports, { name: "ESHA", nodes: [], dryRun: true });
  expect(dry.written).toBe(false);
  expect(ports.created.size).toBe(0);
  const answer = await importCluster(ports, { name: "ESHA", nodes: [], dryRun: false });
  expect(answer.written).toBe(true);
  // The host that waits to be added has no database and is no part of the cluster.
  expect(answer.declaration.nodes.map(({ name }) => name)).toEqual(["srv127", "srv129"]);
  expect(ports.created.get("ESHA")).toBe(dry.yaml);
  expect(ports.asked).toEqual([]);
});

test("a database that does not answer is named with its own words: nothing is guessed", () => {
  const world = createWorld();
  changeDatabase(world, "srv129", { status: "unreachable", problem: "ECONNREFUSED 127.0.0.1" });
  expect(() => importFrom("ESHA", nodesOf(world))).toThrow(
    expect.objectContaining({
      code: "DATABASE_UNREACHABLE",
      message: expect.stringMatching(/srv129 is unreachable \(ECONNREFUSED 127\.0\.0\.1\)/),
    }),
  );
});

test("an agent that never joined or is away is named", async () => {
  const world = createWorld();
  agentAway(world, "srv129");
  const ports = createFakePorts(world);
  await expect(
    importCluster(ports, { name: "NEW", nodes: ["nobody"], dryRun: true }),
  ).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(
    importCluster(ports, { name: "NEW", nodes: ["srv127", "srv129"], dryRun: true }),
  ).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
});
