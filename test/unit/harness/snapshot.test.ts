import { expect, test } from "vitest";
import { differences, type Snapshot } from "#test/harness/snapshot.ts";
import { listeningPaths, listeningPorts } from "#test/harness/snapshot/network.ts";
import { roleOf } from "#test/harness/snapshot/processes.ts";

const before: Snapshot = {
  coord: { power: "on" },
  srv127: {
    "file /etc/x.conf": "600 postgres:postgres, 9 bytes aa\n# one\ntwo = 2\n",
    "pool row 0 10.0.0.1:5432": "up primary",
    "pool status file /run/pgpool_status": "there\nup",
    "slot slot_srv129": "physical reserved used by srv129",
  },
};

function after(changes: Readonly<Record<string, string | null>>): Snapshot {
  const entries = { ...before["srv127"], ...changes };
  const kept = Object.entries(entries).flatMap(([key, value]) =>
    value === null ? [] : [[key, value] as const],
  );
  return { ...before, srv127: Object.fromEntries(kept) };
}

test("two snapshots of the same have no difference, whatever went through JSON", () => {
  expect(differences(before, JSON.parse(JSON.stringify(before)) as Snapshot)).toEqual([]); // plain data
});

test("what came, went or changed is named with its host", () => {
  const now = after({
    "slot slot_srv159": "physical reserved unused",
    "slot slot_srv129": null,
    "pool row 0 10.0.0.1:5432": "down primary",
  });
  expect(differences(before, now)).toEqual([
    "srv127 pool row 0 10.0.0.1:5432: up primary -> down primary",
    "srv127 slot slot_srv129: physical reserved used by srv129 -> absent",
    "srv127 slot slot_srv159: absent -> physical reserved unused",
  ]);
});

test("a changed file says its mode, and its lines", () => {
  const key = "file /etc/x.conf";
  expect(
    differences(before, after({ [key]: "640 postgres:postgres, 9 bytes aa\n# one\ntwo = 2\n" })),
  ).toEqual([
    "srv127 file /etc/x.conf: 600 postgres:postgres, 9 bytes aa -> 640 postgres:postgres, 9 bytes aa",
  ]);
  expect(
    differences(before, after({ [key]: "600 postgres:postgres, 9 bytes bb\n# one\ntwo = 3\n" })),
  ).toEqual([
    "srv127 file /etc/x.conf: 600 postgres:postgres, 9 bytes aa -> 600 postgres:postgres, 9 bytes bb",
    "srv127 file /etc/x.conf: - two = 2",
    "srv127 file /etc/x.conf: + two = 3",
  ]);
});

test("a file with all its lines in another order differs", () => {
  const now = after({ "file /etc/x.conf": "600 postgres:postgres, 9 bytes aa\ntwo = 2\n# one\n" });
  expect(differences(before, now)).toEqual([
    "srv127 file /etc/x.conf: its lines have another order",
  ]);
});

test("a host that only one of the snapshots has differs in everything", () => {
  expect(differences({}, { srv159: { power: "on" } })).toEqual(["srv159 power: absent -> on"]);
});

test("a loaded backend row that is down is allowed where it is named, and nothing else of its kind", () => {
  const loadedRow = { address: "10.0.0.3", port: 5432 };
  const row = "pool row 1 10.0.0.3:5432";
  const status = "pool status file /run/pgpool_status";
  expect(
    differences(before, after({ [row]: "down standby", [status]: "there\nup\ndown" }), {
      loadedRow,
    }),
  ).toEqual([]);
  expect(differences(before, after({ [row]: "down standby" }))).toHaveLength(1);
  expect(differences(before, after({ [row]: "up standby" }), { loadedRow })).toEqual([
    `srv127 ${row}: absent -> up standby`,
  ]);
  expect(differences(before, after({ [status]: "there\nup\nup" }), { loadedRow })).toEqual([
    `srv127 ${status}: + up`,
  ]);
  expect(
    differences(before, after({ "pool row 1 10.0.0.4:5432": "down standby" }), { loadedRow }),
  ).toHaveLength(1);
  // A row that was there before must be as it was.
  const known = after({ [row]: "waiting standby" });
  const worse: Snapshot = { ...known, srv127: { ...known["srv127"], [row]: "down standby" } };
  expect(differences(known, worse, { loadedRow })).toEqual([
    `srv127 ${row}: waiting standby -> down standby`,
  ]);
});

const roles: readonly [readonly string[], string | null][] = [
  [
    ["postgres: walsender replicator 10.0.0.3(40216) streaming 0/3000060"],
    "postgres: walsender replicator 10.0.0.3",
  ],
  [
    ["postgres: wal sender process SYSTEM 10.0.0.3(40216) sending backup"],
    "postgres: walsender SYSTEM 10.0.0.3",
  ],
  [["postgres: startup recovering 000000010000000000000003"], "postgres: startup"],
  [["postgres: walreceiver streaming 0/3000060"], "postgres: walreceiver"],
  [["postgres: app app 10.0.0.3(40216) idle"], null],
  [["postgres: postgres app [local] idle"], null],
  [["postgres: autovacuum worker app"], null],
  [["pgpool: health check process(2)"], "pgpool: health check"],
  [["pgpool: wait for connection request"], "pgpool: child"],
  [
    [
      "/usr/bin/node",
      "--max-old-space-size=64",
      "/opt/castellan/dist/castellan-agent.js",
      "run",
      "--config",
      "/etc/x",
    ],
    "castellan-agent.js run",
  ],
  [
    ["/bin/sh", "-c", "umask 077 ...", "castellan-job", "/usr/bin/pg_basebackup", "-h", "x"],
    "castellan-job pg_basebackup",
  ],
  [
    ["sudo", "-n", "/usr/bin/node", "/opt/castellan/dist/castellan-root.js", "door-hold"],
    "sudo castellan-root.js door-hold",
  ],
  [["/usr/lib/postgresql/15/bin/pg_basebackup", "-h", "10.0.0.1"], "pg_basebackup"],
  [[], "kworker"],
];
test.each(roles)("the role of %j is %s", (argv, role) => {
  expect(roleOf(argv, "kworker")).toBe(role);
});

test("listening sockets are read from the kernel's tables, in words", () => {
  const tcp = [
    "  sl  local_address rem_address   st tx_queue",
    "   0: 7F04A8C0:1F90 00000000:0000 0A 00000000",
    "   1: 00000000:1538 00000000:0000 0A 00000000",
    "   2: 7F04A8C0:9C40 8104A8C0:1538 01 00000000",
  ].join("\n");
  expect(listeningPorts("tcp", tcp)).toEqual(["tcp 192.168.4.127:8080", "tcp *:5432"]);
  const unix = [
    "Num       RefCount Protocol Flags    Type St Inode Path",
    "ffff: 00000002 00000000 00010000 0001 01 12345 /tmp/.s.PGSQL.5432",
    "ffff: 00000003 00000000 00000000 0001 03 12346 /tmp/.s.PGSQL.5432",
  ].join("\n");
  expect(listeningPaths(unix)).toEqual(["unix /tmp/.s.PGSQL.5432"]);
});
