import { attachPool } from "#coordinator/operations/local-steps/attach-pool.ts";
import type { BackendRow } from "#shared/domain/commands.ts";
import { appendBackend, removeBackend } from "#shared/config-files/pool-edit.ts";
import { parsePoolConf, backends } from "#shared/config-files/pool-conf.ts";
import { queryOnce } from "#test/harness/sql-client.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { Stage } from "./stage.ts";

/** A way of getting the new node into both pools. What `prepare` does is not measured, what `register` does is. */
export type Way = {
  readonly name: string;
  readonly holdsDoor: boolean;
  /** Restarts servers or pools: slow, and it cuts everybody. */
  readonly restarts: boolean;
  readonly prepare: (stage: Stage) => Promise<void>;
  readonly register: (stage: Stage) => Promise<void>;
  readonly restore: (stage: Stage) => Promise<void>;
};

const preparedId = 2;
/** A pool forgets no row until it is restarted: every reload takes a new one. */
let nextId = 3;
let loadedId = 0;

function attachPrepared(holdsDoor: boolean): Way {
  return {
    name: `attach of a prepared row, ${holdsDoor ? "door held" : "open"}`,
    holdsDoor,
    restarts: false,
    prepare: (stage) => append(stage, stage.row(preparedId)),
    register: (stage) => attach(stage, stage.row(preparedId), holdsDoor),
    restore: (stage) => detach(stage, preparedId),
  };
}

function reloadAndAttach(holdsDoor: boolean): Way {
  return {
    name: `reload, then attach, ${holdsDoor ? "door held" : "open"}`,
    holdsDoor,
    restarts: false,
    prepare: () => Promise.resolve(),
    register: async (stage) => {
      loadedId = nextId;
      nextId += 1;
      await append(stage, stage.row(loadedId));
      await attach(stage, stage.row(loadedId), holdsDoor);
    },
    restore: (stage) => detach(stage, loadedId),
  };
}

/** For a pool that takes no row by reload: one pool after the other, the standby first, so that the VIP moves once. */
const rolling: Way = {
  name: "rolling restart of the pools",
  holdsDoor: false,
  restarts: true,
  prepare: withoutNewRows,
  register: async (stage) => {
    const holder = await stage.pools.vipHolder();
    const order = stage.pools.nodes.toSorted((a) => (a.name === holder ? 1 : -1));
    for (const { name } of order) {
      await stage.pools.stop(name);
      await editFile(stage, name, (text) => appendBackend(text, fileRow(stage)));
      await stage.pools.start(name);
      await poolsAnswer(stage);
    }
    await bringUp(stage);
  },
  restore: () => Promise.resolve(),
};

/** The vendor's sheet ends with `kingbase_monitor.sh restart`: pools and databases down, databases and pools up. */
const vendor: Way = {
  name: "the vendor's way: restart of everything",
  holdsDoor: false,
  restarts: true,
  prepare: withoutNewRows,
  register: async (stage) => {
    const { cluster, pools } = stage;
    const databases = [...cluster.nodes.map(({ name }) => name), "srv159"];
    for (const { name } of pools.nodes) await pools.stop(name);
    for (const name of databases) await cluster.stop(name, "fast");
    for (const { name } of pools.nodes) {
      await editFile(stage, name, (text) => appendBackend(text, fileRow(stage)));
    }
    for (const name of databases) await cluster.start(name);
    await startPools(stage);
    await bringUp(stage);
  },
  restore: () => Promise.resolve(),
};

export const ways: readonly Way[] = [
  attachPrepared(true),
  attachPrepared(false),
  reloadAndAttach(true),
  reloadAndAttach(false),
  rolling,
  vendor,
];

async function append(stage: Stage, row: BackendRow): Promise<void> {
  for (const runner of stage.runners) {
    await runner.command("append-backend", { file: stage.configFile, row });
  }
}

async function attach(stage: Stage, row: BackendRow, holdDoor: boolean): Promise<void> {
  const pools = stage.pools.nodes.map(({ name }) => ({ node: name, port: stage.pools.port }));
  const args = { row, pools, holdDoor, holdMs: 1000 };
  await attachPool.run(args, stage.localContext("op-registration"));
}

/** Back to a loaded row that is down, without the sessions that a detach cuts being in anybody's figures. */
async function detach(stage: Stage, id: number): Promise<void> {
  const [first] = stage.pools.nodes;
  await stage.pools.pcp(first?.name ?? "", "pcp_detach_node", ["-n", String(id)]);
  await stage.waitForStatus(id, "down");
}

/** Both pools as they were delivered: restarted without the rows of earlier rounds. */
async function withoutNewRows(stage: Stage): Promise<void> {
  for (const { name } of stage.pools.nodes) {
    await stage.pools.stop(name);
    await editFile(stage, name, (text) =>
      backends(parsePoolConf(text))
        .filter(({ id }) => id >= preparedId)
        .reduce((rest, { id }) => removeBackend(rest, id), text),
    );
  }
  await startPools(stage);
  nextId = preparedId + 1;
}

async function editFile(stage: Stage, name: string, edit: (text: string) => string): Promise<void> {
  const node = stage.pools.nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new Error(`no pool on ${name}`);
  const { host, pool } = node;
  const owner = { owner: stage.cluster.lane.osUser, mode: 0o600 };
  await host.writeFile(pool.configFile, edit(await host.readFile(pool.configFile)), owner);
}

function fileRow(stage: Stage) {
  return { ...stage.row(preparedId), flag: "ALLOW_TO_FAILOVER" };
}

/** A pool that finds its old status file takes the new row as unused: it must be attached even so. */
async function bringUp(stage: Stage): Promise<void> {
  const [first] = stage.pools.nodes;
  if (first === undefined) return;
  if ((await stage.statusOf(first.name, preparedId)) !== "up") {
    await stage.pools.pcp(first.name, "pcp_attach_node", ["-n", String(preparedId)]);
  }
  await stage.waitForStatus(preparedId, "up");
}

/** Side by side, as the vendor's scripts of two nodes do: a pool answers once it has joined its watchdog. */
async function startPools(stage: Stage): Promise<void> {
  await Promise.all(stage.pools.nodes.map(({ name }) => stage.pools.start(name)));
  await poolsAnswer(stage);
}

async function poolsAnswer({ lab, pools }: Stage): Promise<void> {
  await waitFor(() => queryOnce(lab, pools.login("app"), "SELECT 1 AS one"), {
    timeoutMs: 60_000,
    intervalMs: 100,
    what: "the pool to answer at its VIP",
  });
}
