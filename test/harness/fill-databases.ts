import { superuserLogin, type ClusterModel, type ClusterNode } from "./cluster-model.ts";
import { checkLogin } from "./pool-files.ts";
import { openClient } from "./sql-client.ts";

/** Roles and databases of the product, the application and the pool. */
export async function createRolesAndDatabases(
  model: ClusterModel,
  node: ClusterNode,
): Promise<void> {
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

/** The tables of the application: `ledger` for the load, `bulk` for size, `elsewhere` in the tablespace. */
export async function fill(model: ClusterModel, node: ClusterNode): Promise<void> {
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
