import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createJobs } from "#agent/adapters/jobs.ts";
import type { JobRequest, Jobs } from "#agent/ports.ts";
import { systemClock } from "#shared/time.ts";
import { waitFor } from "#test/harness/wait-for.ts";

let folder: string;
let jobs: Jobs;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "castellan-jobs-"));
  jobs = await open();
});

afterEach(async () => {
  await jobs.end("job");
  await rm(folder, { recursive: true });
});

/** What a newly started agent has. */
function open(): Promise<Jobs> {
  return createJobs({
    folder: join(folder, "jobs"),
    allowedPrograms: ["/bin", "/usr/bin"],
    clock: systemClock,
    home: folder,
    killAfterMs: 300,
  });
}

function request(program: string, args: readonly string[], more: Partial<JobRequest> = {}) {
  return {
    name: "job",
    operationId: "op-abcdefgh",
    generation: 1,
    program,
    args,
    env: {},
    ...more,
  };
}

async function ended() {
  return waitFor(async () => {
    const state = await jobs.look("job");
    return state?.status !== "running" ? state : null;
  });
}

const output = (): Promise<string> => readFile(join(folder, "jobs", "job", "stdout"), "utf8");

test("arguments reach the program as they are, whatever a shell would make of them", async () => {
  const odd = ["$(id)", "`id`", "a b", "'", '"', "*", "; exit 7", "-n", "\\", "é"];
  await jobs.start(request("/usr/bin/printf", ["%s\\n", ...odd]));
  expect(await ended()).toMatchObject({ status: "ended", exitCode: 0, generation: 1 });
  expect((await output()).trimEnd().split("\n")).toEqual(odd);
});

test("a job is a session of its own in the root directory, with a small environment", async () => {
  const script = "echo $$; ps -o sid= -p $$; pwd; env | cut -d= -f1 | sort | tr '\\n' ' '";
  await jobs.start(request("/bin/sh", ["-c", script], { env: { EXTRA: "1" } }));
  await ended();
  const [, session, directory, names] = (await output()).split("\n");
  expect(Number(session)).toBe((await jobs.look("job"))?.pid);
  expect(directory).toBe("/");
  expect(names?.split(" ").filter((name) => !["", "PWD", "OLDPWD", "_"].includes(name))).toEqual([
    "EXTRA",
    "HOME",
    "LANG",
    "PATH",
  ]);
});

test("the exit status and the last lines of stderr are kept for the next agent", async () => {
  await jobs.start(request("/bin/sh", ["-c", "echo one >&2; printf 'two\\rthree\\n' >&2; exit 9"]));
  await ended();
  jobs = await open();
  expect(await jobs.look("job")).toMatchObject({
    status: "ended",
    exitCode: 9,
    stderr: ["one", "two", "three"],
  });
});

test("a job that ignores SIGTERM is killed, with everything in its group", async () => {
  const script = "trap '' TERM; sleep 60 & echo ready; sleep 60";
  await jobs.start(request("/bin/sh", ["-c", script]));
  await waitFor(async () => (await output()) === "ready\n");
  await jobs.end("job");
  // While anything of its session lived it would still be running.
  expect((await jobs.look("job"))?.status).toBe("lost");
});

test("a job that ends on SIGTERM leaves its exit status", async () => {
  await jobs.start(request("/bin/sh", ["-c", "echo ready; exec sleep 60"]));
  // Before that it is the wrapper alone that is ended, and there is no status to leave.
  await waitFor(async () => (await output()) === "ready\n");
  await jobs.end("job");
  expect(await jobs.look("job")).toMatchObject({ status: "ended", exitCode: 128 + 15 });
});

test("a pid that another process has by now is not taken for the job, and not killed", async () => {
  await jobs.start(request("/bin/true", []));
  await ended();
  const own = await readFile("/proc/self/stat", "utf8");
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
  const job = join(folder, "jobs", "job");
  await rm(join(job, "exit-status"));
  const fields = own.split(" ");
  fields[21] = String(Number(fields[21]) - 1);
  await writeFile(join(job, "process"), `${fields.join(" ").trimEnd()}\n${boot}`);
  expect((await jobs.look("job"))?.status).toBe("lost");
  await jobs.end("job");
});

test("a job of an earlier boot is lost", async () => {
  await jobs.start(request("/bin/true", []));
  await ended();
  const job = join(folder, "jobs", "job");
  await rm(join(job, "exit-status"));
  await writeFile(
    join(job, "process"),
    `${await readFile("/proc/self/stat", "utf8")}another-boot\n`,
  );
  expect((await jobs.look("job"))?.status).toBe("lost");
});

test("a second job of the same name is refused while the first is known", async () => {
  await jobs.start(request("/bin/sleep", ["60"]));
  await expect(jobs.start(request("/bin/true", []))).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
  });
  await jobs.end("job");
  await jobs.remove("job");
  await jobs.start(request("/bin/true", [], { generation: 2 }));
  expect(await ended()).toMatchObject({ generation: 2 });
});

test("files are removed and made by the job itself, also when it is killed before its agent is back", async () => {
  const [secret, marker] = [join(folder, "mot de passé"), join(folder, "marker")];
  const whenEnded = { remove: [secret], touchOnSuccess: [marker] };
  await writeFile(secret, "s");
  await jobs.start(request("/bin/true", [], { whenEnded }));
  await ended();
  await stat(marker);
  await expect(stat(secret)).rejects.toThrow("ENOENT");
  await rm(marker);
  await jobs.remove("job");

  await writeFile(secret, "s");
  const { pid } = await jobs.start(request("/bin/sleep", ["60"], { whenEnded }));
  process.kill(-pid, "SIGKILL");
  await ended();
  await jobs.remove("job");
  expect((await readdir(folder)).sort()).toEqual(["jobs"]);
});

test("a program outside the allowed directories is refused, a missing one named", async () => {
  await expect(jobs.start(request("/tmp/evil", []))).rejects.toMatchObject({ code: "REFUSED" });
  await expect(jobs.start(request("/bin/no-such", []))).rejects.toMatchObject({
    code: "RESOURCE_MISSING",
  });
  expect(await jobs.look("job")).toBeNull();
});

test("whoever works on a directory is found by it, whatever letters its name has", async () => {
  const directory = join(folder, "größe 库");
  const script = "read -r line"; // until it is killed
  const worker = execa("/bin/sh", ["-c", script, "worker", "-D", directory], { reject: false });
  expect(await waitFor(async () => (await jobs.writersInto(directory))[0])).toBe(worker.pid);
  expect(await jobs.writersInto(`${directory}2`)).toEqual([]);
  worker.kill("SIGKILL");
  await worker;
  expect(await jobs.writersInto(directory)).toEqual([]);
});
