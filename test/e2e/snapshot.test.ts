import { chmod } from "node:fs/promises";
import { expect, test } from "vitest";
import { openConnection } from "#coordinator/store/connection.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { HostProcess } from "#test/harness/host.ts";
import { differences, settledDifferences, takeSnapshot } from "#test/harness/snapshot.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "./support/hosts.ts";

/** One of each kind of thing that a procedure could leave behind, and the words that name it. */
type Leftover = {
  readonly what: string;
  readonly leave: (cluster: TestCluster, castellan: Castellan) => Promise<unknown>;
  readonly names: RegExp;
  /** Taken away again, the cluster is as before. */
  readonly mend: (cluster: TestCluster, castellan: Castellan) => Promise<unknown>;
};

const hba = "/var/lib/postgresql/ESHA/data/pg_hba.conf";
const line = "host all all 192.168.4.159/32 md5\n";
const cron = "/etc/cron.d/leftover";
const target = (cluster: TestCluster) => cluster.node("srv159").host;
const primary = (cluster: TestCluster) => cluster.node("srv127").host;
let hbaBefore = "";
let running: HostProcess | null = null;

const leftovers: readonly Leftover[] = [
  {
    what: "a slot",
    leave: (cluster) =>
      cluster.sql("srv129", "SELECT pg_create_physical_replication_slot('slot_left')"),
    names: /^srv129 slot slot_left: absent -> physical unreserved unused$/,
    mend: (cluster) => cluster.sql("srv129", "SELECT pg_drop_replication_slot('slot_left')"),
  },
  {
    what: "an hba line",
    leave: async (cluster) => {
      hbaBefore = await primary(cluster).readFile(hba);
      await primary(cluster).writeFile(hba, hbaBefore + line);
    },
    names: /^srv127 file .*pg_hba\.conf: \+ host all all 192\.168\.4\.159\/32 md5$/,
    mend: (cluster) => primary(cluster).writeFile(hba, hbaBefore),
  },
  {
    what: "another mode of a file",
    leave: (cluster) => chmod(primary(cluster).path(hba), 0o644),
    names: /^srv127 file .*pg_hba\.conf: 600 .* -> 644 /,
    mend: (cluster) => chmod(primary(cluster).path(hba), 0o600),
  },
  {
    what: "another owner of a file",
    leave: (cluster) => primary(cluster).exec(["chown", "root", hba]),
    names: /^srv127 file .*pg_hba\.conf: 600 postgres:postgres, .* -> 600 root:postgres, /,
    mend: (cluster) => primary(cluster).exec(["chown", "postgres", hba]),
  },
  {
    what: "a file in /tmp",
    leave: (cluster) => target(cluster).writeFile("/tmp/left", "x", { owner: "postgres" }),
    names: /^srv159 file \/tmp\/left: absent -> 644 postgres:postgres, 1 bytes /,
    mend: (cluster) => target(cluster).exec(["rm", "/tmp/left"]),
  },
  {
    what: "an empty folder",
    leave: (cluster) => target(cluster).makeDirectory("/srv/left"),
    names: /^srv159 folder \/srv\/left: absent -> /,
    mend: (cluster) => target(cluster).exec(["rmdir", "/srv/left"]),
  },
  {
    what: "a link in a data directory's place",
    leave: (cluster) => target(cluster).exec(["ln", "-s", "/srv", "/var/lib/postgresql/ESHA-link"]),
    names: /^srv159 link \/var\/lib\/postgresql\/ESHA-link: absent -> .* to \/srv$/,
    mend: (cluster) => target(cluster).exec(["rm", "/var/lib/postgresql/ESHA-link"]),
  },
  {
    what: "a process",
    leave: async (cluster) => {
      running = await target(cluster).spawn(["tail", "-f", "/dev/null"], { user: "postgres" });
    },
    names: /^srv159 process tail: absent -> 1 as uid \d+$/,
    mend: end,
  },
  {
    what: "a listening socket",
    leave: async (cluster) => {
      const { nodePath } = target(cluster);
      const program = "require('node:net').createServer().listen(7777, '127.0.0.1')";
      running = await target(cluster).spawn([nodePath, "-e", program]);
    },
    names: /^srv159 listens tcp 127\.0\.0\.1:7777: absent -> open$/,
    mend: end,
  },
  {
    what: "a cron line",
    leave: (cluster) =>
      primary(cluster).writeFile(cron, "* * * * * postgres /bin/true\n", { mode: 0o644 }),
    names: /^srv127 file \/etc\/cron\.d\/leftover: absent -> 644 root:root, /,
    mend: (cluster) => primary(cluster).exec(["rm", cron]),
  },
  {
    what: "a packet filter's table",
    leave: (cluster) => primary(cluster).nft("add table inet castellan"),
    names: /^srv127 packet filter: empty -> rules$/,
    mend: (cluster) => primary(cluster).nft("delete table inet castellan"),
  },
  {
    what: "a backend row that is detached",
    leave: (cluster) => cluster.pools?.pcp("srv129", "pcp_detach_node", ["-n", "1"]) ?? noPools(),
    names: /^srv129 pool row 1 192\.168\.4\.129:5432: up standby -> down standby$/,
    mend: (cluster) => cluster.pools?.pcp("srv129", "pcp_attach_node", ["-n", "1"]) ?? noPools(),
  },
  {
    what: "a record of what the agent made",
    leave: (cluster) =>
      target(cluster).writeFile("/var/lib/castellan-agent/ledger/slot%3Aleft.json", "{}"),
    names: /^srv159 file \/var\/lib\/castellan-agent\/ledger\/slot%3Aleft\.json: absent -> /,
    mend: (cluster) =>
      target(cluster).exec(["rm", "/var/lib/castellan-agent/ledger/slot%3Aleft.json"]),
  },
  {
    what: "a command that did not end",
    leave: (cluster) =>
      target(cluster).writeFile(
        "/var/lib/castellan-agent/commands/left.json",
        '{"key":"left","record":{"command":{"kind":"create-slot"},"ended":null}}',
      ),
    names: /^srv159 unfinished command create-slot: absent -> received$/,
    mend: (cluster) => target(cluster).exec(["rm", "/var/lib/castellan-agent/commands/left.json"]),
  },
  {
    what: "a password file",
    leave: async (cluster) => {
      const folder = "/var/lib/castellan-agent/password-files";
      await target(cluster).makeDirectory(folder);
      await target(cluster).writeFile(`${folder}/pass-left`, "x");
    },
    names: /^srv159 password files: absent -> 1 that stay$/,
    mend: (cluster) =>
      target(cluster).exec(["rm", "/var/lib/castellan-agent/password-files/pass-left"]),
  },
  {
    what: "a lease",
    leave: async (_, castellan) => writeJournal(castellan, leaveOperation),
    names: /^coord lease ESHA: absent -> add-node, paused$/,
    mend: async (_, castellan) =>
      writeJournal(castellan, ["DELETE FROM lease", "DELETE FROM operation WHERE id = 'left'"]),
  },
  {
    what: "a changed declaration",
    leave: (_, castellan) =>
      castellan.coordinatorHost.exec([
        "sed",
        "-i",
        "1i # left",
        `${castellan.stateDirectory}/clusters/ESHA.yaml`,
      ]),
    names: /^coord file .*\/clusters\/ESHA\.yaml: \+ # left$/,
    mend: (_, castellan) =>
      castellan.coordinatorHost.exec([
        "sed",
        "-i",
        "1d",
        `${castellan.stateDirectory}/clusters/ESHA.yaml`,
      ]),
  },
  {
    what: "a server that is down",
    leave: (cluster) => cluster.stop("srv129"),
    names: /^srv129 server: runs as a standby of .* -> down$/,
    mend: async (cluster) => {
      await cluster.start("srv129");
      for (const pool of ["srv127", "srv129"]) {
        await waitFor(async () => {
          await cluster.pools?.pcp(pool, "pcp_attach_node", ["-n", "1"]);
          return (await cluster.pools?.show(pool))?.every(({ status }) => status === "up");
        });
      }
    },
  },
];

test("whatever is left behind is named by the snapshot's differences, and nothing is when nothing is", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    pool: true,
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const before = await takeSnapshot(cluster, castellan);

  for (const { what, leave, names, mend } of leftovers) {
    await leave(cluster, castellan);
    const named = async () => {
      const found = differences(before, await takeSnapshot(cluster, castellan));
      if (!found.some((words) => names.test(words))) throw new Error(found.join("\n"));
      return found;
    };
    await waitFor(named, { what: `${what} to be named` });
    await mend(cluster, castellan);
    expect(await settledDifferences(before, cluster, castellan), `after ${what}`).toEqual([]);
  }

  // Of a host without power, and of a coordinator that is down, it still says what is on disk.
  await castellan.killCoordinator();
  await target(cluster).writeFile("/srv/left", "x");
  await target(cluster).powerOff();
  const dark = differences(before, await takeSnapshot(cluster, castellan));
  expect(dark).toContain("srv159 power: on -> off");
  expect(dark.join("\n")).toMatch(/^srv159 file \/srv\/left: absent -> 644 /m);
  expect(dark.join("\n")).toMatch(/^coord process castellan\.js coordinator run: 1 .* -> absent$/m);
});

const leaveOperation = [
  `INSERT INTO operation (id, kind, cluster, subject, requested_by, requested_at, on_failure, state, plan)
   VALUES ('left', 'add-node', 'ESHA', 'srv159', 'test', 1, 'pause', 'paused', '{}')`,
  "INSERT INTO lease (cluster, operation_id) VALUES ('ESHA', 'left')",
];

function writeJournal(
  { coordinatorHost, stateDirectory }: Castellan,
  statements: readonly string[],
): Promise<void> {
  const journal = openConnection(coordinatorHost.path(`${stateDirectory}/journal.db`));
  for (const statement of statements) journal.exec(statement);
  journal.close();
  return Promise.resolve();
}

async function end(): Promise<void> {
  running?.kill("SIGKILL");
  await running?.exited;
}

function noPools(): never {
  throw new Error("the cluster has no pools");
}
