import { dirname } from "node:path";
import { execa } from "execa";

import {
  installBinaries,
  startServer,
  stopServer,
  type DatabaseServer,
} from "./database-server.ts";
import { catalogSql } from "./kingbase/catalog-sql.ts";
import { installKingbase, makeKingbaseFolders } from "./kingbase/software.ts";
import { writeKingbaseFiles } from "./kingbase/node-files.ts";
import { checkLogin } from "./pool-files.ts";
import { hbaFile, serverSettings, writeStandbyFiles } from "./server-files.ts";
import { superuserLogin, type ClusterModel, type ClusterNode } from "./cluster-model.ts";
import { openClient, queryOnce } from "./sql-client.ts";
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
      await queryOnce(lab, superuserLogin(model, primary, database), catalogSql);
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

async function writeConfiguration(
  model: ClusterModel,
  { host, paths }: ClusterNode,
  listenAddresses: string,
): Promise<void> {
  const { lane, port, options } = model;
  const made = await host.readFile(paths.configFile);
  // The marker's repeated use keeps one block at the end: a copied node's own replaces the primary's.
  const [before = ""] = made.split("\n# ---- cluster settings ----\n");
  const block = serverSettings({
    lane,
    paths,
    listenAddresses,
    port,
    fsync: options.fsync ?? false,
    synchronousNames:
      options.synchronous === true ? `1 (${model.nodes.map(({ name }) => name).join(", ")})` : "",
    settings: options.settings ?? {},
  });
  await host.writeFile(paths.configFile, before + block, { owner: lane.osUser, mode: 0o600 });
}

async function createRolesAndDatabases(model: ClusterModel, node: ClusterNode): Promise<void> {
  const { lab, lane, passwords, options } = model;
  const admin = superuserLogin(model, node, "postgres");
  const client = await openClient(lab, admin);
  try {
    await client.query(`CREATE ROLE app LOGIN PASSWORD '${passwords.app}'`);
    if (lane.product === "kingbase-v8r3") {
      await client.query(
        `CREATE ROLE "SUPERMANAGER_V8ADMIN" SUPERUSER LOGIN PASSWORD '${passwords.maintenance}'`,
      );
      await client.query('CREATE DATABASE "TEMPLATE2"');
    }
    if (lane.replicationUser !== lane.superuser) {
      await client.query(
        `CREATE ROLE ${lane.replicationUser} REPLICATION LOGIN PASSWORD '${passwords.replication}'`,
      );
    }
    if (options.pool === true && lane.product === "postgresql") {
      const check = checkLogin(model);
      await client.query(`CREATE ROLE ${check.user} LOGIN PASSWORD '${check.password}'`);
      await client.query(`GRANT pg_monitor TO ${check.user}`);
    }
    await client.query(`CREATE DATABASE "${lane.database}" OWNER app`);
  } finally {
    await client.end();
  }
}

async function fill(model: ClusterModel, node: ClusterNode): Promise<void> {
  const { lab, lane, options } = model;
  const client = await openClient(lab, superuserLogin(model, node, lane.database));
  try {
    await client.query(
      "CREATE TABLE ledger (id bigint PRIMARY KEY, note text, written_at timestamptz DEFAULT now())",
    );
    await client.query("CREATE TABLE bulk (id bigint PRIMARY KEY, payload text)");
    await client.query("INSERT INTO ledger SELECT i, 'seed' FROM generate_series(-1000, 0) AS i");
    // A row is about 1 kB on disk with its share of the index; md5 text does not compress away.
    const rows = Math.round((options.sizeMb ?? 0) * 980);
    await client.query(
      `INSERT INTO bulk SELECT i, (SELECT string_agg(md5((i * 31 + k)::text), '') FROM generate_series(1, 30) AS k)
         FROM generate_series(1, ${rows}) AS i`,
    );
    if (options.tablespace !== undefined) {
      const location = `${node.host.root}${options.tablespace}`;
      await client.query(`CREATE TABLESPACE castellan_ts LOCATION '${location}'`);
      await client.query("CREATE TABLE elsewhere (id int PRIMARY KEY) TABLESPACE castellan_ts");
      await client.query("INSERT INTO elsewhere SELECT generate_series(1, 100)");
      await client.query("GRANT ALL ON elsewhere TO app");
    }
    await client.query("GRANT ALL ON ledger, bulk TO app");
    await client.query("CHECKPOINT");
  } finally {
    await client.end();
  }
}

/** A base backup made the quick way: the primary is stopped and its files are copied. */
async function copyData(model: ClusterModel, from: ClusterNode, to: ClusterNode): Promise<void> {
  const { lane, lab, passwords, port } = model;
  const { host, paths } = to;
  if (lane.layout === "debian") {
    const folder = dirname(paths.configFile);
    await host.makeDirectory(dirname(folder), { owner: lane.osUser });
    await host.makeDirectory(paths.root, { owner: lane.osUser });
    await copyTree(from, to, folder, folder);
  }
  await copyTree(from, to, paths.dataDir, from.paths.dataDir);
  if (model.options.tablespace !== undefined) await moveTablespace(model, from, to);
  if (lane.layout !== "debian") {
    await writeConfiguration(model, to, lab.mode === "loopback" ? host.address : "*");
  }
  await writeStandbyFiles(host, lane, paths, {
    name: to.name,
    address: from.address,
    port,
    user: lane.replicationUser,
    password: passwords.replication,
    slot: to.slot,
    passfile: `${host.root}/var/lib/postgresql/.pgpass`,
  });
}

async function moveTablespace(
  model: ClusterModel,
  from: ClusterNode,
  to: ClusterNode,
): Promise<void> {
  const { tablespace } = model.options;
  const source = `${from.host.root}${tablespace}`;
  const target = `${to.host.root}${tablespace}`;
  await copyTree(from, to, target, source);
  const script = `for l in "$1"/pg_tblspc/*; do [ -L "$l" ] && ln -sfn "$2" "$l" && chown -h --reference="$1" "$l"; done`;
  await to.host.exec(["sh", "-c", script, "sh", to.paths.dataDir, target]);
}

/** Copies between two hosts' disks from outside, where both can be seen. */
async function copyTree(
  from: ClusterNode,
  to: ClusterNode,
  target: string,
  source: string,
): Promise<void> {
  await execa("cp", ["-aT", from.host.path(source), to.host.path(target)]);
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
