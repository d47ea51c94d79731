import { expect, test } from "vitest";
import type { CommandResult } from "#shared/domain/commands.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import type { Probes } from "#coordinator/operations/add-node/situation.ts";
import { checkRebuild } from "#coordinator/operations/rebuild-node/checks.ts";
import type { WorldOptions } from "../declared-node.ts";
import { changeAgent, changeVerbs } from "../switchover/scene.ts";
import { change, changeDatabase, changePool, changeSettings, createWorld, type World } from "../world.ts"; // prettier-ignore
import { complaintsOf, situationOf, type Asked } from "./scene.ts";

type Case = {
  readonly title: string;
  readonly options?: WorldOptions;
  readonly edit?: (world: World) => void;
  readonly asked?: Asked;
  /** Of every complaint what it begins with, in their order. */
  readonly says: readonly string[];
};

type Target = CommandResult<"probe-target">;
const target = (edit: (target: Target) => Partial<Target>): Asked => ({
  probe: (probes): Probes => {
    const answer = probes.target?.answer;
    return answer == null ? probes : { ...probes, target: { answer: { ...answer, ...edit(answer) }, problem: null } }; // prettier-ignore
  },
});
const data = (part: Partial<Target["dataDirectory"]>): Asked =>
  target(({ dataDirectory }) => ({ dataDirectory: { ...dataDirectory, ...part } }));
const slots = (world: World, part: Partial<NodeFacts["database"]["slots"][number]>): void =>
  change(world, "srv127", (facts) => ({
    ...facts,
    database: { ...facts.database, slots: facts.database.slots.map((slot) => ({ ...slot, ...part })) }, // prettier-ignore
  }));

const cases: readonly Case[] = [
  { title: "nothing, of a standby that runs", says: [] },
  {
    title: "nothing, of one whose data directory is gone",
    edit: (world) => changeDatabase(world, "srv129", { status: "absent", role: null }),
    asked: data({ state: "absent" }),
    says: [],
  },
  {
    title: "no primary",
    edit: (world) => changeAgent(world, "srv127", { connected: false }),
    says: ["one-primary: no node that can be seen is a primary (away: srv127)"],
  },
  {
    title: "two primaries",
    edit: (world) => changeDatabase(world, "srv129", { role: "primary" }),
    says: ["one-primary: srv127, srv129 are primaries"],
  },
  { title: "the primary", asked: { node: "srv127" }, says: ["subject: srv127 is the primary"] },
  {
    title: "no node of the cluster",
    asked: { node: "srv999" },
    says: ["subject: srv999 is no node of ESHA. It has srv127, srv129."],
  },
  {
    title: "an agent that is away",
    edit: (world) => changeAgent(world, "srv129", { connected: false }),
    says: ["subject: the agent of srv129 is away"],
  },
  {
    title: "verbs that an older agent.yaml lacks",
    edit: (world) => changeVerbs(world, "srv129", world.facts.get("srv129")?.agent.verbs.filter((verb) => verb !== "swap-data-directory") ?? []), // prettier-ignore
    says: ["agents: srv129 does not admit swap-data-directory"],
  },
  {
    title: "the vendor's checks in charge",
    edit: (world) => change(world, "srv129", (facts) => ({ ...facts, guard: { ...facts.guard, vendorAtWork: "its cron line is active" } })), // prettier-ignore
    says: ["guard-in-charge: srv129: its cron line is active"],
  },
  {
    title: "a mount point",
    asked: data({ isMountPoint: true }),
    says: ["place: /var/lib/postgresql/15/main is a mount point"],
  },
  {
    title: "a link",
    asked: data({ state: "not-a-directory" }),
    says: ["place: /var/lib/postgresql/15/main is a link or a file"],
  },
  {
    title: "a folder that nothing can be made in",
    asked: data({ parentWritable: false }),
    says: ["place: nothing can be made beside"],
  },
  {
    title: "an old directory that is kept already",
    asked: target(({ directories }) => ({
      directories: directories.map((one) => ({ ...one, exists: one.path.endsWith("-old") })),
    })),
    says: ["place: /var/lib/postgresql/15/main.castellan-old is there already"],
  },
  {
    title: "another copy",
    asked: target(() => ({ stagingState: "ours" })),
    says: ["place: /var/lib/postgresql/15/main.castellan-copy is there already"],
  },
  {
    title: "places that agent.yaml does not allow",
    asked: target(({ directories }) => ({
      directories: directories.map((one) => ({ ...one, writable: !one.path.endsWith("-old") })),
    })),
    says: ["place: the agent of srv129 may not write /var/lib/postgresql/15/main.castellan-old"],
  },
  {
    title: "an agent that does not answer",
    asked: { probe: (probes) => ({ ...probes, target: null, logins: null, walRate: null }) },
    says: [
      "place: srv129 can't be asked about its directories",
      "logins: logins from srv129 can't be tried",
      "forecast: the primary does not say how much WAL it writes",
    ],
  },
  {
    title: "nothing, with WAL on another disk, which is said only",
    edit: (world) => change(world, "srv129", (facts) => ({ ...facts, guard: { ...facts.guard, walDisk: { directory: "/wal/15", freeBytes: 1, totalBytes: 2, fillBytesPerSecond: null, secondsToFull: null } } })), // prettier-ignore
    says: ["warning wal: the WAL of srv129 lies in /wal/15. The copy has its own"],
  },
  {
    title: "tablespaces",
    edit: (world) => changeDatabase(world, "srv127", { tablespaces: [{ oid: 1, name: "fast", location: "/srv/fast", bytes: 1 }] }), // prettier-ignore
    says: ["tablespaces: the cluster has tablespaces in /srv/fast"],
  },
  {
    title: "a login that fails",
    asked: {
      probe: (probes) => ({
        ...probes,
        logins: { answer: { results: (probes.logins?.answer?.results ?? []).slice(0, 1).map((one) => ({ ...one, ok: false })) }, problem: null }, // prettier-ignore
      }),
    },
    says: ["logins: replicator can't log in from srv129 to 192.168.4.127:5432: no pg_hba.conf"],
  },
  {
    title: "no walsender and no slot to spare",
    edit: (world) => changeSettings(world, "srv127", { max_wal_senders: "1", max_replication_slots: "1" }), // prettier-ignore
    says: ["room: 0 of max_wal_senders = 1", "room: 0 of max_replication_slots = 1"],
  },
  {
    title: "a slot through which somebody else streams",
    edit: (world) => slots(world, { active: true, client: "copier 192.168.4.9" }),
    says: ["slot: slot slot_srv129 is in use by copier"],
  },
  {
    title: "a standby that streams from it",
    edit: (world) => changeDatabase(world, "srv129", { replication: (world.facts.get("srv127")?.database.replication ?? []).map((row) => ({ ...row, applicationName: "srv159" })) }), // prettier-ignore
    says: ["followers: srv159 streams from srv129"],
  },
  {
    title: "commits that would wait for the node",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129)" }),
    says: ["synchronous: without srv129 commits would wait"],
  },
  {
    title: "nothing, where commits wait for it already",
    edit: (world) => {
      changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129)" });
      changeDatabase(world, "srv127", { replication: [] });
    },
    says: [],
  },
  {
    title: "a pool that is stopped",
    options: { pool: true },
    edit: (world) => {
      changePool(world, "srv127", { settings: {} });
      changePool(world, "srv129", { settings: {}, status: "stopped" });
    },
    says: ["pools: the pool of srv129 is stopped"],
  },
  {
    title: "another failover script, where the node runs",
    options: { pool: true },
    edit: (world) => {
      changePool(world, "srv127", { settings: { failover_command: "/x/failover_stream.sh %d" } });
      changePool(world, "srv129", { settings: { failover_command: "/x/castellan-failover %d" } });
    },
    says: ["failover-command: the pool of srv127 runs /x/failover_stream.sh when srv129 stops"],
  },
  {
    title: "nothing, with another failover script, where the node is stopped",
    options: { pool: true },
    edit: (world) => {
      changeDatabase(world, "srv129", { status: "stopped" });
      changePool(world, "srv127", { settings: { failover_command: "/x/failover_stream.sh %d" } });
      changePool(world, "srv129", { settings: {} });
    },
    says: [],
  },
];

test.each(cases)("a rebuild is refused for $title", ({ options, edit, asked, says }) => {
  const world = createWorld(options);
  edit?.(world);
  const found = complaintsOf(() => checkRebuild(situationOf(world, asked)));
  expect(found.map((line, index) => line.slice(0, says[index]?.length))).toEqual(says);
});
