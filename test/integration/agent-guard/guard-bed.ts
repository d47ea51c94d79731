import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GuardMarks } from "#agent/decide/view.ts";
import type { GuardStepContext } from "#agent/guard/steps/step.ts";
import type { ClusterView } from "#shared/domain/cluster-view.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { createLab } from "#test/harness/lab.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { becomeDatabaseUser } from "#test/integration/agent-steps/become-user.ts";
import { freePort } from "#test/integration/agent-steps/step-lab.ts";
import { createTestAgent } from "#test/integration/agent-steps/test-agent.ts";
import { primary, view } from "#test/unit/agent/decide/view-builder.ts";

export type GuardHost = GuardStepContext & {
  readonly marks: GuardMarks;
};

/** Three real servers on addresses of their own: srv127 is the primary, the others stream from it. */
export type GuardBed = AsyncDisposable & {
  readonly cluster: TestCluster;
  /** A step's context on a node, as a freshly started agent has it; marks outlive it. */
  host(node: string): Promise<GuardHost>;
  /** As a pool's failover command does it; answers when it takes writes. */
  promote(node: string): Promise<void>;
  /** What a node's server says: `streams from srv129` or `does not stream`. */
  upstreamOf(node: string): Promise<string>;
};

export async function createGuardBed(lane: LaneOptions, network: number): Promise<GuardBed> {
  becomeDatabaseUser();
  const names = ["127", "129", "159"];
  const lab = await createLab({
    mode: "loopback",
    hosts: names.map((id) => ({ name: `srv${id}`, address: `127.0.${network}.${id}` })),
  });
  const state = await mkdtemp(join(tmpdir(), "castellan-guard-"));
  const cluster = await createCluster(lab, {
    ...lane,
    nodes: names.map((id) => `srv${id}`),
    port: await freePort(),
  });
  const agents: AsyncDisposable[] = [];
  return {
    cluster,
    host: async (node) => {
      const where = cluster.node(node);
      const agent = await agentOn(where, cluster, state);
      agents.push(agent);
      const [control] = (await cluster.isRunning(node)) ? await cluster.sql(node, controlSql) : [];
      const facts = primary({
        systemIdentifier: control === undefined ? null : String(control["id"]),
        timeline: Number(control?.["timeline"] ?? 1),
      });
      return {
        ...agent,
        view: view(facts, { node, cluster: clusterView(cluster) }),
        decisionId: "decision-1",
        mark: (changed) => agent.guardMarks.mark(changed),
        get marks() {
          return agent.guardMarks.current();
        },
      };
    },
    promote: async (node) => {
      const { host, paths } = cluster.node(node);
      await host.exec([paths.control, "-D", paths.dataDir, "-w", "promote"], {
        user: cluster.lane.osUser,
      });
      await waitFor(
        async () =>
          (await cluster.sql(node, "SELECT pg_is_in_recovery() AS r"))[0]?.["r"] === false,
        { what: `${node} to take writes` },
      );
    },
    upstreamOf: async (node) => {
      const [row] = await cluster.sql(
        node,
        "SELECT substring(conninfo from 'host=([0-9.]+)') AS host FROM pg_stat_wal_receiver WHERE status = 'streaming'",
      );
      const from = cluster.nodes.find(({ address }) => address === row?.["host"]);
      return from === undefined ? "does not stream" : `streams from ${from.name}`;
    },
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents) await agent[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
      await rm(state, { recursive: true });
    },
  };
}

const controlSql = `SELECT s.system_identifier::text AS id, c.timeline_id AS timeline
  FROM pg_control_system() s, pg_control_checkpoint() c`;

function agentOn(
  { name, host, address, port, paths }: ClusterNode,
  cluster: TestCluster,
  state: string,
) {
  // prettier-ignore
  const { lane, passwords } = cluster;
  const isVendor = lane.product === "kingbase-v8r3";
  return createTestAgent({
    product: lane.product,
    node: name,
    stateDirectory: join(state, name),
    allowedPaths: [host.root],
    paths: {
      root: isVendor ? paths.root : null,
      binDirectory: paths.binDir,
      dataDirectory: paths.dataDir,
      configFile: paths.configFile,
      hbaFile: paths.hbaFile,
      identFile: paths.identFile,
    },
    database: { host: address, port, name: lane.database, user: lane.superuser },
    secrets: { database: passwords.superuser, replication: passwords.replication },
  });
}

function clusterView({ lane, nodes, name }: TestCluster): ClusterView {
  return {
    cluster: name,
    at: 1,
    poolKind: "none",
    database: {
      name: lane.database,
      maintenanceUser: lane.superuser,
      replicationUser: lane.replicationUser,
    },
    nodes: nodes.map((node) => ({
      name: node.name,
      address: node.address,
      port: node.port,
      slot: node.slot,
      backendId: null,
      nic: null,
      pool: null,
    })),
    virtualAddresses: { database: null, pool: null },
    trustAddresses: [],
  };
}
