import { readdir, readFile } from "node:fs/promises";
import type { Host } from "#test/harness/host.ts";

const stateDirectory = "/var/lib/castellan-agent";
const ended = /"ended":\{/;

/** What an agent has not finished: commands, and password files that outlived a look of a quarter of a second. */
export async function stateEntries(host: Host): Promise<Record<string, string>> {
  const below = (name: string): string => host.path(`${host.root}${stateDirectory}/${name}`);
  const first = await namesIn(below("password-files"));
  const commands = await namesIn(below("commands"));
  const unfinished = await Promise.all(
    commands
      .filter((name) => name.endsWith(".json"))
      .map(async (name) => {
        const text = await readFile(`${below("commands")}/${name}`, "utf8").catch(() => null);
        if (text === null || ended.test(text)) return [];
        const kind = /"kind":"([\w-]+)"/.exec(text)?.[1] ?? name;
        return [[`unfinished command ${kind}`, "received"] as const];
      }),
  );
  // The agent's own look at a pool has one for some milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 250));
  const second = new Set(await namesIn(below("password-files")));
  const lasting = first.filter((name) => second.has(name));
  return {
    ...Object.fromEntries(unfinished.flat()),
    ...(lasting.length === 0 ? {} : { "password files": `${lasting.length} that stay` }),
  };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
