import { waitFor } from "#test/harness/wait-for.ts";
import { clientBin } from "#test/harness/postgres.ts";
import type { Bed } from "./bed.ts";

/** Small durable writes straight to the primary, about 500 a second, while it lasts. */
export interface Writers extends AsyncDisposable {
  /** Rows written since the last call, per second. */
  rate(): Promise<number>;
}

const perSecond = 500;
const script = "INSERT INTO ledger (id, note) VALUES (nextval('bench_keys'), 'written by pgbench')";

export async function startWriters({ cluster, primary, watcher }: Bed): Promise<Writers> {
  const { lane, passwords, port } = cluster;
  const { host } = primary;
  const own = { owner: lane.osUser, mode: 0o600 };
  await watcher.query("CREATE SEQUENCE IF NOT EXISTS bench_keys");
  await host.writeFile("/tmp/bench.sql", `${script};\n`, own);
  const login = `*:${port}:*:${lane.superuser}:${passwords.superuser}\n`;
  await host.writeFile("/tmp/bench.pgpass", login, own);
  const options = `-h 127.0.0.1 -p ${port} -U ${lane.superuser} -n -f /tmp/bench.sql -c 16 -j 1`;
  const command = `${clientBin}/pgbench ${options} -R ${perSecond} -T 86400 ${lane.database}`;
  const pgbench = await host.spawn(command.split(" "), {
    user: lane.osUser,
    env: { PGPASSFILE: "/tmp/bench.pgpass" },
    logFile: host.path("/var/log/pgbench.log"),
  });
  const written = async (): Promise<number> => {
    const { rows } = await watcher.query<{ n: string }>(
      "SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS n FROM bench_keys",
    );
    return Number(rows[0]?.n ?? 0);
  };
  const before = await written();
  await waitFor(async () => (await written()) > before + perSecond, {
    what: "the writers to write",
  });
  let last = { at: performance.now(), rows: await written() };
  return {
    rate: async () => {
      const now = { at: performance.now(), rows: await written() };
      const rate = ((now.rows - last.rows) / (now.at - last.at)) * 1000;
      last = now;
      return rate;
    },
    [Symbol.asyncDispose]: async () => {
      pgbench.kill("SIGTERM");
      await pgbench.exited;
    },
  };
}
