import { readFile, readdir } from "node:fs/promises";
import { request } from "node:http";
import { expect } from "vitest";
import * as z from "zod";
import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { ExecResult, HostProcess } from "#test/harness/host.ts";

export type Transcript = {
  /** Everything that was said, a line each with where it was said. */
  readonly lines: readonly string[];
  run(args: readonly string[]): Promise<ExecResult>;
  start(args: readonly string[]): Promise<HostProcess>;
  say(where: string, text: string): void;
  /** Every GET of the API, and what the command line shows of the operation, which must be in that state. */
  everything(id: string, state: string): Promise<void>;
};

export function createTranscript(cluster: TestCluster, castellan: Castellan): Transcript {
  const lines: string[] = [];
  const say = (where: string, text: string): void => {
    for (const line of text.split("\n")) if (line !== "") lines.push(`${where}: ${line}`);
  };
  const { coordinatorHost, stateDirectory } = castellan;
  const run = async (args: readonly string[]): Promise<ExecResult> => {
    const result = await castellan.cli(args, { reject: false });
    say(args.join(" "), result.stdout + result.stderr);
    return result;
  };
  return {
    lines,
    run,
    say,
    start: async (args) => {
      const cli = await castellan.spawnCli(args);
      for (const stream of [cli.stdout, cli.stderr]) {
        stream?.on("data", (data: Buffer) => say(args.join(" "), data.toString("utf8")));
      }
      return cli;
    },
    everything: async (id, state) => {
      const socket = coordinatorHost.path(`${stateDirectory}/api.sock`);
      expect(JSON.parse(await getRaw(socket, `/operations/${id}`))).toMatchObject({ state });
      for (const path of await getPaths(cluster, id, socket)) {
        say(`GET ${path}`, await getRaw(socket, path));
      }
      for (const words of [["operation", "show", id], ["why", id], ["status"], ["alert", "list"]]) {
        await run(words);
        await run([...words, "--json"]);
      }
    },
  };
}

/** Every GET that the coordinator's tables of routes have, for this cluster, its nodes, their files and this operation. */
async function getPaths(
  { name, nodes, newNode }: TestCluster,
  id: string,
  socketPath: string,
): Promise<readonly string[]> {
  const folder = "coordinator/api";
  const tables = (await readdir(folder)).filter((file) => file.endsWith("-routes.ts"));
  const texts = await Promise.all(tables.map((file) => readFile(`${folder}/${file}`, "utf8")));
  const routes = [...texts.join("\n").matchAll(/\b(?:get|watch)\("\/api([^"]+)"/g)].map(
    ([, path = ""]) => path,
  );
  expect(routes.length).toBeGreaterThan(18);
  const joined = [
    ...new Set([...nodes, ...(newNode === null ? [] : [newNode])].map((node) => node.name)),
  ];
  const files: string[] = [];
  for (const node of joined) {
    for (const file of await watchedFiles(socketPath, node)) {
      files.push(`node=${node}&file=${encodeURIComponent(file)}`);
    }
  }
  expect(files.length).toBeGreaterThan(12);
  return routes.flatMap((path) => {
    if (path === "/files/diff") return [];
    // They never end, and say what /events and /status do.
    if (path === "/events/watch" || path === "/status/watch") return [];
    if (path === "/drift/show") return []; // only for what differs: nothing does at the end of a run
    if (path.startsWith("/files/")) return files.map((file) => `${path}?${file}`);
    if (path.startsWith("/alerts/:id") || path.startsWith("/rules/:id")) return []; // in their lists
    if (path.includes(":name")) return [path.replace(":name", name)];
    if (path.includes(":id")) return [path.replace(":id", id)];
    if (!path.includes(":subject")) return [path, ...(path === "/alerts" ? [`${path}?all=1`] : [])];
    return [id, ...joined].map((subject) => path.replace(":subject", subject));
  });
}

/** Asked for a file that it has not, the coordinator names those that it has. */
export async function watchedFiles(socketPath: string, node: string): Promise<readonly string[]> {
  const path = `/files/history?node=${node}&file=no-such-file`;
  const answer = await getRaw(socketPath, path).catch((error: unknown) => String(error));
  const { evidence } = z
    .object({ error: z.object({ evidence: z.array(z.string()) }) })
    .parse(JSON.parse(answer.slice(answer.indexOf("{")))).error;
  return evidence;
}

/** The bytes of an answer, whatever they are. */
function getRaw(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: `/api${path}` }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(pieces).toString("latin1");
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${path} answered ${response.statusCode}: ${text}`));
      });
    });
    call.on("error", reject);
    call.end();
  });
}
