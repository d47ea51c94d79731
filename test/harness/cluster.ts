import type pg from "pg";
import { buildDatabases, installSoftware } from "./build-databases.ts";
import { isServerRunning, startServer, stopServer } from "./database-server.ts";
import {
  clusterModel,
  superuserLogin,
  type ClusterModel,
  type ClusterNode,
  type ClusterOptions,
} from "./cluster-model.ts";
import type { Lab } from "./lab.ts";
import { describePools, launchPools, poolsReady, type PoolNode, type Pools } from "./pool.ts";
import { openClient, queryOnce, type Login, type Row } from "./sql-client.ts";

export interface TestCluster extends ClusterModel, AsyncDisposable {
  /** Null when the cluster was asked for without. */
  readonly pools: Pools | null;
  /** One statement through the pool (the VIP, or the first pool) as the application's user. */
  poolSql(statement: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Any node by its name, the new one included. */
  node(name: string): ClusterNode;
  /** One statement as the superuser on a node's server. */
  sql(node: string, statement: string, values?: readonly unknown[]): Promise<Row[]>;
  /** A connected superuser client of a node's server; the caller ends it. */
  client(node: string, database?: string): Promise<pg.Client>;
  login(node: string): Login;
  start(node: string): Promise<void>;
  stop(node: string, mode?: "fast" | "immediate"): Promise<void>;
  isRunning(node: string): Promise<boolean>;
}

/**
 * Builds and starts a primary and its streaming standbys, with the tables `ledger` (the load's) and
 * `bulk` in the application's database. All hosts must be powered on.
 */
export async function createCluster(lab: Lab, options: ClusterOptions): Promise<TestCluster> {
  const model = clusterModel(lab, options);
  const pools = options.pool === true ? describePools(model) : null;
  await installSoftware(model);
  // The watchdogs' six seconds of waiting are used to make the databases, unless these take longer.
  const early = pools?.vip !== null && (options.sizeMb ?? 0) <= 50;
  const launch = (): Promise<void> | null => pools && launchPools(model, pools, options);
  await Promise.all([buildDatabases(model), early ? launch() : null]);
  if (!early) await launch();
  if (pools !== null) await poolsReady(pools);
  const all = [...model.nodes, ...(model.newNode === null ? [] : [model.newNode])];
  const node = (name: string): ClusterNode => {
    const found = all.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no node ${name} in ${model.name}`);
    return found;
  };
  const server = (name: string) => ({ ...node(name), lane: model.lane });
  const login = (name: string): Login => superuserLogin(model, node(name), model.lane.database);
  return {
    ...model,
    pools,
    poolSql: (statement, values) => {
      if (pools === null) throw new Error(`cluster ${model.name} has no pool`);
      return queryOnce(lab, pools.login("app"), statement, values);
    },
    node,
    login,
    sql: (name, statement, values) => queryOnce(lab, login(name), statement, values),
    client: (name, database) =>
      openClient(lab, { ...login(name), ...(database === undefined ? {} : { database }) }),
    start: (name) => startServer(server(name)),
    stop: (name, mode) => stopServer(server(name), mode),
    isRunning: (name) => isServerRunning(server(name)),
    [Symbol.asyncDispose]: async () => {
      await Promise.all((pools?.nodes ?? []).map((pool) => stopIfRunning(pools, pool)));
      await Promise.all(
        all
          .filter(({ host, paths }) => host.isUp() && host.exists(paths.dataDir))
          .map(async ({ name }) => {
            if (await isServerRunning(server(name))) await stopServer(server(name), "immediate");
          }),
      );
    },
  };
}

async function stopIfRunning(pools: Pools | null, { name, host, pool }: PoolNode): Promise<void> {
  // Nothing to stop where a test has ended the pool itself.
  if (host.isUp() && host.exists(pool.pidFile)) await pools?.stop(name).catch(() => undefined);
}
