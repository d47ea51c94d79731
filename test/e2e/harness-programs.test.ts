import { chmodSync, existsSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { execa } from "execa";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import * as z from "zod";
import { removeLab } from "#test/harness/lab-registry.ts";
import { isAlive } from "#test/harness/processes.ts";
import { projectRoot } from "#test/harness/project-root.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { lab } from "./support/harness-lab.ts";

describe("a lab whose program ended", () => {
  test("has no running host left when the program was killed, and is swept by the next lab", async () => {
    const program = await runProgram("{}");
    const { folder, pids, namespaces } = program;
    program.child.kill("SIGKILL");
    const all = [program.child.pid ?? 0, ...pids];
    await waitFor(() => !all.some(isAlive), { what: "the hosts to die with their program" });
    expect(existsSync(folder)).toBe(true);
    await lab("namespaces");
    expect(existsSync(folder)).toBe(false);
    expect(namespaces.filter((name) => existsSync(`/run/netns/${name}`))).toEqual([]);
  });

  test("cleans up by itself when the program is told to stop", async () => {
    const program = await runProgram("{}");
    program.child.kill("SIGTERM");
    await program.child.catch(() => undefined);
    expect(existsSync(program.folder)).toBe(false);
    expect(program.namespaces.filter((name) => existsSync(`/run/netns/${name}`))).toEqual([]);
    await waitFor(() => !program.pids.some(isAlive));
  });

  test("lives on when it is detached, until it is removed by its folder", async () => {
    const program = await runProgram("{ detached: true }");
    program.child.kill("SIGKILL");
    await program.child.catch(() => undefined);
    await lab("namespaces");
    expect(program.pids.every(isAlive)).toBe(true);
    await removeLab(program.folder);
    await waitFor(() => !program.pids.some(isAlive));
    expect(existsSync(program.folder)).toBe(false);
  });
});

/** A program of its own that makes a lab and waits; `options` is code. */
async function runProgram(options: string) {
  // Labs in a place that no other program sweeps meanwhile; it goes after the labs in it.
  const place = mkdtempSync(join(tmpdir(), "castellan-labs-"));
  chmodSync(place, 0o755);
  vi.stubEnv("TMPDIR", place);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(place, { recursive: true });
  });
  const outfile = join(projectRoot(), `node_modules/.cache/castellan-lab-${process.pid}.mjs`);
  await build({
    stdin: {
      contents: `import { createLab } from "#test/harness/lab.ts";
        const lab = await createLab({ hosts: [{ name: "a", address: "192.168.4.2" }], ...${options} });
        const pids = lab.hosts.map((host) => host.initPid());
        console.log(JSON.stringify({ folder: lab.folder, id: lab.id, pids }));
        setInterval(() => undefined, 1000);`,
      resolveDir: projectRoot(),
      loader: "ts",
    },
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["pg-native"],
    banner: {
      js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`,
    },
    logLevel: "silent",
  });
  const child = execa(process.execPath, [outfile], { reject: false, buffer: false });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await waitFor(() => text.endsWith("\n"), { what: "the program's lab" });
  await rm(outfile);
  const said = ProgramLab.parse(JSON.parse(text));
  return { ...said, child, namespaces: [`${said.id}-a`, `${said.id}-sw`] };
}

const ProgramLab = z.object({ folder: z.string(), id: z.string(), pids: z.array(z.int()) });
