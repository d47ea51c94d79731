import { expect, test } from "vitest";
import {
  relocate,
  relocateInText,
  relocationBetween,
} from "#coordinator/operations/add-node/relocate.ts";
import { dataDirectory } from "../preflight/cases/edits.ts";
import {
  change,
  changeFile,
  changePool,
  createWorld,
  loadRow,
  situationOf,
  writeRow,
} from "../world.ts";

test("what is not given follows the newest standby", () => {
  const { newcomer, like, source } = situationOf(createWorld({ pool: true }));
  expect(like?.declared.name).toBe("srv129");
  expect(source?.declared.name).toBe("srv127");
  expect(newcomer.declared).toMatchObject({
    port: 5432,
    slot: "slot_srv159",
    nic: "ens33",
    backendId: 2,
    pool: null,
    paths: { dataDirectory: "/var/lib/postgresql/15/main" },
  });
});

test("the new host's own agent settings go before those of the like-node", () => {
  const { newcomer } = situationOf(createWorld({ loopback: true }));
  expect(newcomer.declared.paths.dataDirectory).toBe("/srv/lab/srv159/var/lib/postgresql/15/main");
});

test("a given data directory takes the files inside it along, and leaves those outside", () => {
  const inside = situationOf(createWorld(), { dataDirectory: "/data/pg" }).newcomer.declared.paths;
  expect(inside).toMatchObject({
    dataDirectory: "/data/pg",
    configFile: "/data/pg/postgresql.conf",
  });
  const outside = situationOf(createWorld({ debian: true }), { dataDirectory: "/data/pg" });
  expect(outside.newcomer.declared.paths.configFile).toBe(
    "/etc/postgresql/15/main/postgresql.conf",
  );
});

test("a node or source that the cluster doesn't have is named", () => {
  expect(() => situationOf(createWorld(), { like: "nobody" })).toThrow(
    expect.objectContaining({ code: "NOT_FOUND", hint: "Its nodes are srv127, srv129." }),
  );
  expect(() => situationOf(createWorld(), { source: "nobody" })).toThrow(/--source nobody/);
});

test("the row's number is above every number that any file, pool or declaration knows", () => {
  const world = createWorld({ pool: true });
  writeRow(world, "srv129", { id: 7, hostname: "10.0.0.7" });
  expect(situationOf(world).registration).toMatchObject({ row: { id: 8 } });
  const running = createWorld({ pool: true });
  loadRow(running, "srv127", { id: 4, hostname: "10.0.0.9" });
  expect(situationOf(running).registration).toMatchObject({ row: { id: 5 } });
});

test("a row that running pools kept from an undone registration is taken up again, file and all", () => {
  const world = createWorld({ pool: true });
  const row = { id: 2, hostname: "192.168.4.159" };
  for (const node of ["srv127", "srv129"]) loadRow(world, node, row);
  expect(situationOf(world).registration).toMatchObject({
    way: "reload-and-attach",
    row: { id: 2 },
  });
});

test("a row that the pools kept under different numbers is not taken up again", () => {
  const world = createWorld({ pool: true });
  for (const [node, id] of [
    ["srv127", 2],
    ["srv129", 3],
  ] as const) {
    const rows = world.facts.get(node)?.pool?.rows ?? [];
    const kept = { id, hostname: "192.168.4.159", port: 5432, status: "down", role: "standby" };
    changePool(world, node, { rows: [...rows, { ...kept, weight: 0 }] });
  }
  expect(situationOf(world).registration).toMatchObject({ row: { id: 4 } });
});

test("the weight of the new row is the like-node's in the file, not its share in the pool", () => {
  const world = createWorld({ pool: true });
  changeFile(world, "srv127", "pgpool.conf", (text) =>
    text.replace("backend_weight1 = 1", "backend_weight1 = 3"),
  );
  expect(situationOf(world).registration).toMatchObject({ row: { weight: 3 } });
});

test("a row that only one pool has loaded is not a prepared one", () => {
  const world = createWorld({ pool: true });
  const row = { id: 2, hostname: "192.168.4.159" };
  loadRow(world, "srv127", row);
  writeRow(world, "srv127", row);
  expect(situationOf(world).registration).toMatchObject({
    way: "reload-and-attach",
    row: { id: 2 },
  });
});

test("a data directory that is a mount point is copied into directly", () => {
  const world = createWorld();
  dataDirectory({ isMountPoint: true })(world);
  expect(situationOf(world).stagingDirectory).toBe("/var/lib/postgresql/15/main");
});

test("an interface is taken from the new host where it is named at all", () => {
  const world = createWorld({ pool: true });
  change(world, "srv159", (facts) => ({
    ...facts,
    host: {
      ...facts.host,
      addresses: [{ nic: "bond0", address: "192.168.4.159", prefix: 24, family: "ipv4" }],
    },
  }));
  expect(situationOf(world).newcomer.declared.nic).toBe("bond0");
});

test("folders move with the part in which two nodes differ", () => {
  const paths = {
    root: null,
    binDirectory: "/usr/bin",
    configFile: "/a/n1/data/c",
    hbaFile: "/a/n1/data/h",
    identFile: "/a/n1/data/i",
  };
  const other = {
    root: null,
    binDirectory: "/usr/bin",
    configFile: "/a/n2/data/c",
    hbaFile: "/a/n2/data/h",
    identFile: "/a/n2/data/i",
  };
  const relocation = relocationBetween(
    { ...paths, dataDirectory: "/a/n1/data" },
    { ...other, dataDirectory: "/a/n2/data" },
  );
  expect(relocate("/a/n1/archive", relocation)).toBe("/a/n2/archive");
  expect(relocate("/a/n10/archive", relocation)).toBe("/a/n10/archive");
  expect(relocateInText("test -d /a/n1/x && cp %p '/a/n1/x/%f'", relocation)).toBe(
    "test -d /a/n2/x && cp %p '/a/n2/x/%f'",
  );
  expect(
    relocationBetween(
      { ...paths, dataDirectory: "/a/n1/data" },
      { ...paths, dataDirectory: "/a/n1/data" },
    ),
  ).toEqual([]);
});
