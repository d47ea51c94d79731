import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createProgramRunner, createPrograms } from "#agent/adapters/programs.ts";
import { waitFor } from "#test/harness/wait-for.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "castellan-programs-"));
  await program("say", 'echo "out $1"; echo "HOME=$HOME X=$X PGPASSWORD=$PGPASSWORD" >&2; exit 3');
  await program("stubborn", 'trap "" TERM; echo started > "$1"; while :; do sleep 0.05; done');
  await program("daemon", "sleep 30 & echo $!");
  await program("many-lines", "i=0; while [ $i -lt 200 ]; do echo line $i >&2; i=$((i+1)); done");
  await program("flood", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
  await program("cat", "exec /bin/cat");
});
afterAll(() => rm(folder, { recursive: true }));

async function program(name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

function open(more: { readonly mostOutputBytes?: number } = {}) {
  return createPrograms(
    [folder],
    createProgramRunner({ home: "/home/x", killAfterMs: 200, ...more }),
  );
}

test("a program runs with its arguments as they are and a minimal environment", async () => {
  process.env["PGPASSWORD"] = "must not leak";
  try {
    const result = await open().run("say", ["$(id); a b"], { env: { X: "1" } });
    expect(result).toMatchObject({ exitCode: 3, signal: null, timedOut: false });
    expect(result.stdout).toBe("out $(id); a b\n");
    expect(result.stderr).toEqual(["HOME=/home/x X=1 PGPASSWORD="]);
  } finally {
    delete process.env["PGPASSWORD"];
  }
});

test("input goes through standard input", async () => {
  expect((await open().run("cat", [], { input: "a\nb" })).stdout).toBe("a\nb");
  expect((await open().run("cat", [])).stdout).toBe("");
});

test("programs outside the allowed directories are refused, missing ones are named with where was looked", async () => {
  const refused = { code: "REFUSED" };
  await expect(open().run("/bin/sh", ["-c", "id"])).rejects.toMatchObject(refused);
  await expect(open().run(`${folder}/../sh`, [])).rejects.toMatchObject(refused);
  await expect(open().run("../say", [])).rejects.toMatchObject(refused);
  await expect(open().run("nothing", [])).rejects.toMatchObject({
    code: "RESOURCE_MISSING",
    message: expect.stringContaining(join(folder, "nothing")),
  });
  await symlink(join(folder, "gone"), join(folder, "dangling"));
  await expect(open().run("dangling", [])).rejects.toMatchObject({ code: "RESOURCE_MISSING" });
});

test("a program that ignores SIGTERM is killed after its limit", async () => {
  const result = await open().run("stubborn", [join(folder, "started-1")], { timeoutMs: 300 });
  expect(result).toMatchObject({ exitCode: null, signal: "SIGKILL", timedOut: true });
  expect(result.durationMs).toBeLessThan(3_000);
});

test("an aborted program is ended and the caller gets the reason", async () => {
  const abort = new AbortController();
  const started = join(folder, "started-2");
  const running = open().run("stubborn", [started], { signal: abort.signal });
  const failed = expect(running).rejects.toThrow("cancelled in the test");
  await waitFor(() => existsSync(started));
  abort.abort(new Error("cancelled in the test"));
  await failed;
});

test("a daemon that keeps the pipes open does not hold its starter up", async () => {
  const result = await open().run("daemon", [], { timeoutMs: 20_000 });
  expect(process.kill(Number(result.stdout), "SIGKILL")).toBe(true);
  expect(result.exitCode).toBe(0);
  expect(result.durationMs).toBeLessThan(5_000);
});

test("output is bounded: the last lines of stderr, and a limit for stdout", async () => {
  const { stderr } = await open().run("many-lines", []);
  expect(stderr).toHaveLength(40);
  expect(stderr.at(-1)).toBe("line 199");
  await expect(open({ mostOutputBytes: 10_000 }).run("flood", [])).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
  });
});
