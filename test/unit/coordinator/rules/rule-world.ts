import { evaluateRules, type Evaluation } from "#coordinator/rules/evaluate.ts";
import { ruleFacts } from "#coordinator/rules/facts.ts";
import { clusterView } from "#coordinator/rules/view.ts";
import { changeDatabase, changeFile, changeSettings, createWorld, type World } from "../world.ts";
import type { WorldOptions } from "../declared-node.ts";
import { slot } from "../node-facts.ts";

export type RuleWorld = World;

/** A cluster in which no rule is broken: two nodes that run, their pools, every file as it should be. */
export function ruleWorld(options: WorldOptions = {}): RuleWorld {
  const world = createWorld({ product: "kingbase-v8r3", pool: true, ...options });
  const { nodes, virtualAddresses, database } = world.declaration;
  const vips = [virtualAddresses.database, virtualAddresses.pool].flatMap((vip) => vip ?? []);
  for (const node of nodes) {
    const other = nodes.find((candidate) => candidate !== node) ?? node;
    const lines = vips.map(
      (vip) => `host replication ${database.replicationUser} ${vip.split("/")[0] ?? ""}/32 md5\n`,
    );
    changeFile(world, node.name, "_hba.conf", (text) =>
      text.includes("enable") ? text : text + lines.join(""),
    );
    changeFile(world, node.name, "/db/etc/recovery.done", () =>
      [
        "standby_mode = 'on'",
        `primary_conninfo = 'port=${other.port} host=${other.address} user=SYSTEM password=[secret] application_name=${node.name}'`,
        "recovery_target_timeline = 'latest'",
        `primary_slot_name ='${node.slot}'`,
        "",
      ].join("\n"),
    );
    changeFile(world, node.name, "cluster_passwd", poolUsers);
    changeFile(world, node.name, "pool_passwd", poolUsers);
    changeFile(world, node.name, "cluster_hba.conf", () => "host all all 0.0.0.0/0 md5\n");
    changeFile(world, node.name, "pool_hba.conf", () => "host all all 0.0.0.0/0 md5\n");
    changeFile(world, node.name, "kingbasecluster.conf", (text) =>
      [
        text.trimEnd(),
        "use_watchdog = on",
        "delegate_IP = '192.168.4.201'",
        `trusted_servers = '192.168.4.1,192.168.4.2'`,
        `wd_hostname = '${node.address}'`,
        `other_kingbasecluster_hostname0 = '${other.address}'`,
        "num_init_children = 16",
        "max_pool = 4",
        "",
      ].join("\n"),
    );
    changeSettings(world, node.name, {
      archive_mode: "on",
      archive_command: "test -d /archive && cp %p /archive/%f",
    });
    changeDatabase(world, node.name, { slots: [slot(other.slot, true, "0/5000148")] });
    if (world.declaration.product === "postgresql") setConninfo(world, node.name, other.address);
  }
  return world;
}

function poolUsers(): string {
  return "SYSTEM:md5[secret]\napp:md5[secret]\n";
}

/** From PostgreSQL 12 on the standby's settings stand in the server's own files. */
function setConninfo(world: World, name: string, host: string): void {
  if (name === world.declaration.nodes[0]?.name) return;
  const node = world.declaration.nodes.find((known) => known.name === name);
  changeFile(
    world,
    name,
    "postgresql.auto.conf",
    (text) =>
      `${text}primary_conninfo = 'host=${host} port=5432 user=replicator application_name=${name}'\nprimary_slot_name = '${node?.slot ?? ""}'\n`,
  );
}

export function evaluate(world: World): Evaluation {
  return evaluateRules(
    clusterView(world.declaration, (node) => {
      const agent = world.agents.get(node);
      return agent?.facts == null || !agent.connected ? null : ruleFacts(agent.facts);
    }),
  );
}

/** `id node: found`, of one rule or all. */
export function broken(world: World, id?: string): readonly string[] {
  return evaluate(world)
    .breaches.filter(({ rule }) => id === undefined || rule.id === id)
    .map(({ rule, node, found }) => `${rule.id} ${node ?? "-"}: ${found}`);
}
