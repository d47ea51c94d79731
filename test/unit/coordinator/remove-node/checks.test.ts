import { expect, test } from "vitest";
import type { RemoveRequest } from "#coordinator/api/remove-contract.ts";
import { checkRemove } from "#coordinator/operations/remove-node/checks.ts";
import type { WorldOptions } from "../declared-node.ts";
import { complaintsOf } from "../rebuild-node/scene.ts";
import { changeAgent, changeVerbs } from "../switchover/scene.ts";
import { change, changeDatabase, changePool, changeSettings, createWorld, type World } from "../world.ts"; // prettier-ignore
import { removeWorld, situationOf } from "./scene.ts";

type Case = {
  readonly title: string;
  readonly options?: WorldOptions;
  readonly edit?: (world: World) => void;
  readonly asked?: Partial<RemoveRequest>;
  /** Of every complaint what it begins with. */
  readonly says: readonly string[];
};

const away = (world: World): void => changeAgent(world, "srv129", { connected: false });

const cases: readonly Case[] = [
  { title: "nothing, of a standby", says: [] },
  { title: "nothing, of a host that is gone", edit: away, asked: { gone: true }, says: [] },
  {
    title: "no primary",
    edit: (world) => changeAgent(world, "srv127", { connected: false }),
    says: ["one-primary: no node that can be seen is a primary (away: srv127)"],
  },
  {
    title: "the primary",
    asked: { node: "srv127" },
    says: ["subject: srv127 is the primary. castellan switchover ESHA"],
  },
  {
    title: "no node of the cluster",
    asked: { node: "srv999" },
    says: ["subject: srv999 is no node of ESHA. It has srv127, srv129."],
  },
  {
    title: "an agent that is away",
    edit: away,
    says: ["subject: the agent of srv129 is away. Start castellan-agent on srv129; or, if"],
  },
  {
    title: "a host that is called gone and answers",
    asked: { gone: true },
    says: ["subject: the agent of srv129 is connected. Leave --gone out"],
  },
  {
    title: "data to be deleted on a host that is gone",
    edit: away,
    asked: { gone: true, deleteData: true },
    says: ["subject: nothing can be deleted on srv129"],
  },
  {
    title: "verbs that are not admitted",
    edit: (world) => changeVerbs(world, "srv127", ["remove-entries", "drop-slots"]),
    says: ["agents: srv127 does not admit set-synchronous-list"],
  },
  {
    title: "a node that streams from it",
    edit: (world) =>
      change(world, "srv129", (facts) => ({
        ...facts,
        database: {
          ...facts.database,
          replication: (world.facts.get("srv127")?.database.replication ?? []).map((each) => ({
            ...each,
            applicationName: "srv127",
          })),
        },
      })),
    says: ["upstream: srv127 streams from srv129"],
  },
  {
    title: "the last standby that commits wait for",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129)" }),
    says: ["synchronous: without srv129 commits would wait"],
  },
  {
    title: "any standby, where there is no other",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "*" }),
    says: ["synchronous: without srv129 commits would wait"],
  },
  {
    title: "a list that can't be read",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "1 (a" }),
    says: ["synchronous: synchronous_standby_names = '1 (a' on srv127 can't be read"],
  },
  {
    title: "a pool that is stopped",
    options: { pool: true },
    edit: (world) => changePool(world, "srv127", { status: "stopped" }),
    says: ["pools: the pool of srv127 is stopped"],
  },
  {
    title: "a foreign failover script, as a warning",
    options: { pool: true },
    edit: (world) => changePool(world, "srv127", { settings: { failover_command: "/opt/f.sh %d" } }), // prettier-ignore
    says: ["warning failover-command: the pool of srv127 calls /opt/f.sh for srv129"],
  },
  {
    title: "tablespaces that stay, as a warning",
    edit: (world) => changeDatabase(world, "srv129", { tablespaces: [{ oid: 1, name: "ts", location: "/ts", bytes: 0 }] }), // prettier-ignore
    asked: { deleteData: true },
    says: ["warning tablespaces: tablespaces in /ts stay on srv129"],
  },
];

test.each(cases)("a removal is told of: $title", ({ options, edit, asked, says }) => {
  const world = removeWorld(options);
  edit?.(world);
  const found = complaintsOf(() => checkRemove(situationOf(world, asked)));
  expect(found.map((line, at) => line.slice(0, says[at]?.length ?? 0))).toEqual(says);
});

test("a management node is refused", () => {
  const found = complaintsOf(() => checkRemove(situationOf(createWorld({ pool: true }))));
  expect(found[0]).toContain("subject: srv129 is a management node");
});
