import {
  installBinaries,
  startServer,
  stopServer,
  type DatabaseServer,
} from "./database-server.ts";
import { catalogSql } from "./kingbase/catalog-sql.ts";
import { installKingbase, makeKingbaseFolders } from "./kingbase/software.ts";
import { writeKingbaseFiles } from "./kingbase/node-files.ts";
import { copyData, writeConfiguration } from "./copy-database.ts";
import { createRolesAndDatabases, fill } from "./fill-databases.ts";
import { hbaFile } from "./server-files.ts";
import { superuserLogin, type ClusterModel, type ClusterNode } from "./cluster-model.ts";
import { queryOnce } from "./sql-client.ts";
import { waitFor } from "./wait-for.ts";

/** Puts the product's software on every host, and what an instance has beside its data on the existing nodes. */
export async function installSoftware(model: ClusterModel): Promise<void> {
  const { nodes, newNode } = model;
  const all = [...nodes, ...(newNode === null ? [] : [newNode])];
  await Promise.all(all.map((node) => install(model, node)));
}

/** Brings up the databases of a cluster: primary, standbys copied from it, slots on all of them. */
export async function buildDatabases(model: ClusterModel): Promise<void> {
  const [primary, ...standbys] = model.nodes;
  if (primary === undefined) throw new Error("a cluster needs a node");
  await makePrimary(model, primary);
  await Promise.all(standbys.map((standby) => copyData(model, primary, standby)));
  if (model.lane.product === "kingbase-v8r3") await writeKingbaseFiles(model);
  await startServer(server(model, primary));
  await makeSlots(model, primary);
  await Promise.all(
    standbys.map(async (standby) => {
      await startServer(server(model, standby));
      await makeSlots(model, standby);
    }),
  );
  await waitFor(async () => (await streamingCount(model, primary)) === standbys.length, {
    what: "every standby of the test cluster to stream",
  });
}

function server({ lane }: ClusterModel, { host, paths }: ClusterNode): DatabaseServer {
  return { host, lane, paths };
}

async function install(model: ClusterModel, node: ClusterNode): Promise<void> {
  const { lane, options } = model;
  const { host, paths } = node;
  if (lane.product === "kingbase-v8r3") {
    await installKingbase(host, lane, paths);
    const isExisting = options.nodes.includes(node.name);
    if (isExisting) await makeKingbaseFolders(host, lane, paths, true);
  } else if (lane.layout === "plain") {
    await host.makeDirectory(paths.root, { owner: lane.osUser });
    await installBinaries({ host, lane, paths });
  }
  if (options.tablespace !== undefined) {
    await host.makeDirectory(`${host.root}${options.tablespace}`, { owner: lane.osUser });
  }
}

async function makePrimary(model: ClusterModel, primary: ClusterNode): Promise<void> {
  const { lane, lab } = model;
  const { host, paths } = primary;
  await initialise(model, primary);
  const own = { owner: lane.osUser, mode: 0o600 };
  const listen = lab.mode === "loopback" ? host.address : "*";
  await writeConfiguration(model, primary, listen);
  const addresses = model.nodes.map(({ address }) =>
    lab.mode === "loopback" ? "127.0.0.1" : address,
  );
  const others = lab.mode === "loopback" ? [] : [lab.gateway];
  await host.writeFile(paths.hbaFile, hbaFile(lane, addresses, others), own);
  const isKingbase = lane.product === "kingbase-v8r3";
  const node = server(model, primary);
  // Nobody is there yet whom a synchronous commit could wait for.
  const alone = "-c synchronous_standby_names=";
  await startServer(node, isKingbase ? `${alone} -c allow_system_table_mods=on` : alone);
  if (isKingbase) {
    for (const database of ["template1", "postgres"]) {
      await queryOnce(lab, superuserLogin(model, primary, database), catalogSql(lane.major));
    }
  }
  await createRolesAndDatabases(model, primary);
  await fill(model, primary);
  await stopServer(node);
}

async function initialise(model: ClusterModel, { host, paths }: ClusterNode): Promise<void> {
  const { lane, passwords } = model;
  const passwordFile = `${paths.root}/.initdb-password`;
  await host.makeDirectory(paths.root, { owner: lane.osUser });
  await host.writeFile(passwordFile, `${passwords.superuser}\n`, {
    owner: lane.osUser,
    mode: 0o600,
  });
  const options = [
    "-U",
    lane.superuser,
    `--pwfile=${passwordFile}`,
    "--auth=md5",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
  ];
  if (lane.layout === "debian") {
    const argv = ["pg_createcluster", "15", "main", "--port", String(model.port), "--", ...options];
    await host.exec(argv);
  } else {
    const initdb = `${lane.product === "kingbase-v8r3" ? paths.binDir : lane.serverBin(host)}/initdb`;
    await host.exec([initdb, "-D", paths.dataDir, ...options], { user: lane.osUser });
  }
  await host.exec(["rm", passwordFile]);
}

async function makeSlots(model: ClusterModel, node: ClusterNode): Promise<void> {
  const { lab } = model;
  const login = superuserLogin(model, node, "postgres");
  for (const other of model.nodes.filter(({ name }) => name !== node.name)) {
    await queryOnce(lab, login, "SELECT pg_create_physical_replication_slot($1)", [other.slot]);
  }
}

async function streamingCount(model: ClusterModel, primary: ClusterNode): Promise<number> {
  const { lab } = model;
  const login = superuserLogin(model, primary, "postgres");
  const rows = await queryOnce(
    lab,
    login,
    "SELECT count(*)::int AS n FROM pg_stat_replication WHERE state = 'streaming'",
  );
  return Number(rows[0]?.["n"]);
}
