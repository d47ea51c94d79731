import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestCluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import { LoadStats, type LoadSettings } from "./load-generator/messages.ts";
import { projectRoot } from "./project-root.ts";
import { waitFor } from "./wait-for.ts";

export type LoadOptions = Partial<
  Pick<
    LoadSettings,
    "readers" | "writers" | "statementIntervalMs" | "freshIntervalMs" | "firstKey" | "endpoints"
  >
>;

/** A running load. Dispose of it, or stop it, before its host is powered off. */
export interface Load extends AsyncDisposable {
  /** What the clients have seen since a moment (epoch milliseconds), or since the start. */
  stats(sinceMs?: number): Promise<LoadStats>;
  /** Lets statements under way finish, ends every client and gives the last figures. */
  stop(sinceMs?: number): Promise<LoadStats>;
}

/**
 * Starts clients on `host` that write and read through the cluster's pool: by default one writer,
 * eight readers with a statement every 20 ms and a fresh connection every 75 ms. Resolves when every
 * session has had its first answer.
 */
export async function startLoad(
  cluster: TestCluster,
  host: Host,
  options: LoadOptions = {},
): Promise<Load> {
  if (!existsSync(join(projectRoot(), "dist/load.js"))) {
    throw new Error("dist/load.js is not built: run `npm run build`");
  }
  const login = cluster.pools?.login("app") ?? { ...cluster.login(cluster.nodes[0]?.name ?? "") };
  const { pools } = cluster;
  const addresses = pools?.addresses ?? [login.address];
  const settings: LoadSettings = {
    endpoints: addresses.map((address) => ({ host: address, port: login.port })),
    user: login.user,
    password: login.password,
    database: login.database,
    readers: 8,
    writers: 1,
    statementIntervalMs: 20,
    freshIntervalMs: 75,
    firstKey: 1,
    ...options,
  };
  const child = await host.spawn([host.nodePath, `${host.projectPath}/dist/load.js`], {
    user: cluster.lane.osUser,
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null) throw new Error("the load generator has no pipes");
  let complaints = "";
  stderr?.on(
    "data",
    (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-4000)),
  );
  stdin.on("error", () => undefined);
  const answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const write = (message: object): boolean => stdin.write(`${JSON.stringify(message)}\n`);
  // One question at a time: answers come in the order of the questions.
  let queue: Promise<unknown> = Promise.resolve();
  const ask = (command: "stats" | "stop", sinceMs = 0): Promise<LoadStats> => {
    const answer = queue.then(async () => {
      write({ command, sinceMs });
      const line = await answers.next();
      if (line.done === true) throw new Error(`the load generator ended: ${complaints}`);
      return LoadStats.parse(JSON.parse(line.value));
    });
    queue = answer.catch(() => undefined);
    return answer;
  };
  let last: LoadStats | null = null;
  write(settings);
  await waitFor(
    async () => (await ask("stats")).statements >= settings.readers + settings.writers,
    { timeoutMs: 20_000, intervalMs: 100, what: "the load's first answers" },
  );
  return {
    stats: (sinceMs) => ask("stats", sinceMs),
    stop: async (sinceMs) => {
      last = await ask("stop", sinceMs);
      await child.exited;
      return last;
    },
    [Symbol.asyncDispose]: async () => {
      if (last !== null) return;
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
