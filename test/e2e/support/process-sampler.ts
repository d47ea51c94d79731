import { createInterface } from "node:readline";
import type { Host } from "#test/harness/host.ts";
import type { Spelling } from "./secrets.ts";

/**
 * Runs on the host itself and looks at every process of it again and again: new ones in full, known ones in full each
 * tenth time (a program can write over its command line). What it looks for comes over its standard input.
 */
const program = `
const { readdirSync, readFileSync } = require("node:fs");
const { createInterface } = require("node:readline");
const read = (file) => { try { return readFileSync(file, "latin1"); } catch { return ""; } };
const lines = createInterface({ input: process.stdin });
let passes = 0;
lines.once("line", (line) => {
  const spellings = JSON.parse(line);
  const known = new Map();
  const told = new Set();
  const search = (file, pid, text, commandLine) => {
    for (const { name, text: secret } of spellings) {
      if (!text.includes(secret)) continue;
      const found = file + " of " + commandLine.replaceAll(secret, "***").slice(0, 120) + ": " + name;
      if (!told.has(found)) { told.add(found); console.log(JSON.stringify({ found })); }
    }
  };
  const look = () => {
    passes += 1;
    const present = new Set();
    for (const pid of readdirSync("/proc")) {
      if (!/^\\d+$/.test(pid) || Number(pid) === process.pid) continue;
      present.add(pid);
      const commandLine = read("/proc/" + pid + "/cmdline").replaceAll("\\0", " ");
      if (known.get(pid) === commandLine && passes % 10 !== 0) continue;
      known.set(pid, commandLine);
      search("cmdline", pid, commandLine, commandLine);
      search("environ", pid, read("/proc/" + pid + "/environ"), commandLine);
    }
    for (const pid of known.keys()) if (!present.has(pid)) known.delete(pid);
  };
  setInterval(look, 20);
  setInterval(() => console.log(JSON.stringify({ passes })), 200);
});
lines.once("close", () => process.exit(0));
`;

export type ProcessSampler = {
  /** Where a secret was seen so far. */
  found(): readonly string[];
  /** How often it has looked at everything. */
  passes(): number;
  stop(): Promise<void>;
};

export async function startProcessSampler(
  host: Host,
  spellings: readonly Spelling[],
): Promise<ProcessSampler> {
  const sampler = await host.spawn([host.nodePath, "-e", program]);
  const found: string[] = [];
  let passes = 0;
  if (sampler.stdout === null) throw new Error("the sampler has no output");
  createInterface({ input: sampler.stdout }).on("line", (line) => {
    const said = JSON.parse(line) as { found?: string; passes?: number }; // our own program's
    if (said.found !== undefined) found.push(`${host.name}: ${said.found}`);
    passes = said.passes ?? passes;
  });
  sampler.stdin?.write(`${JSON.stringify(spellings)}\n`);
  return {
    found: () => found,
    passes: () => passes,
    stop: async () => {
      sampler.kill("SIGKILL");
      await sampler.exited;
    },
  };
}
