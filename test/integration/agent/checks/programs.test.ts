import { existsSync, readFileSync } from "node:fs";
import { chmod, symlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSecrets } from "#agent/adapters/secrets.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { openCheckBed } from "./check-bed.ts";

test.each([
  [0, null, "disks well"],
  [1, "warning", "disks well"],
  [2, "critical", "disks well"],
  [3, "info", "disks well (exit code 3)"],
  [9, "info", "disks well (exit code 9)"],
])("a program that exits with %i is told as %s", async (code, severity, text) => {
  await using bed = await openCheckBed();
  const program = await bed.program("check_disks", `echo 'disks well | left=3;5;9'; echo more; exit ${code}`); // prettier-ignore
  expect(await bed.run({ program, severity: "info" })).toEqual({
    severity,
    text,
    perfdata: "left=3;5;9",
  });
});

test("arguments reach a program as they are, with no shell in between", async () => {
  await using bed = await openCheckBed();
  const program = await bed.program("check_args", 'printf "%s," "$@"');
  const { text } = await bed.run({ program, args: ["$(id)", "a b", ";"] });
  expect(text).toBe("$(id),a b,;,");
});

test("a program that hangs is killed with all that it started, and that is told", async () => {
  await using bed = await openCheckBed();
  const pids = join(bed.programs, "pids");
  const program = await bed.program(
    "check_hang",
    `trap "" TERM; sleep 300 & echo $! > ${pids}; echo $$ >> ${pids}; while :; do sleep 300; done`,
  );
  const found = await bed.run({ program, timeoutMs: 500 });
  expect(found).toEqual({
    severity: "warning",
    text: `${program} did not end within 0.5 s and was killed`,
  });
  const started = readFileSync(pids, "utf8").trim().split("\n").map(Number);
  expect(started).toHaveLength(2);
  await waitFor(() => started.every((pid) => !isRunning(pid)), {
    what: "its processes to be gone",
  });
});

test("a program is killed when the agent stops, and nobody waits for it", async () => {
  await using bed = await openCheckBed();
  const file = join(bed.programs, "pid");
  const program = await bed.program("check_slow", `echo $$ > ${file}; exec sleep 300`);
  const stopping = new AbortController();
  const run = bed.run({ program, timeoutMs: 300_000 }, stopping.signal);
  const pid = await waitFor(() => (existsSync(file) ? Number(readFileSync(file, "utf8")) : 0));
  stopping.abort();
  await run;
  await waitFor(() => !isRunning(pid), { what: "the program to be gone" });
});

test("of megabytes only the beginning is told, and what never ends printing is killed", async () => {
  await using bed = await openCheckBed();
  const many = await bed.program("check_many", "head -c 3000000 /dev/zero | tr '\\0' x");
  const { severity, text } = await bed.run({ program: many });
  expect(severity).toBe(null);
  expect(text).toMatch(/^x{500} …$/);
  const endless = await bed.program("check_endless", "exec yes");
  expect(await bed.run({ program: endless, timeoutMs: 60_000 })).toEqual({
    severity: "warning",
    text: `${endless} printed more than 16777216 bytes and was killed`,
  });
});

test("a program that can't or mayn't be run says why", async () => {
  await using bed = await openCheckBed();
  const program = await bed.program("check_it", "echo fine");
  const said = async (path: string): Promise<string> => {
    const { severity, text } = await bed.run({ program: path, severity: "critical" });
    expect(severity).toBe("critical");
    return text;
  };
  expect(await said(`${program}_of_old`)).toBe(`there is no ${program}_of_old`);
  await chmod(program, 0o644);
  expect(await said(program)).toContain("no program that this user may execute (chmod +x)");
  await chmod(program, 0o757);
  expect(await said(program)).toContain("its group or everyone may write it");
  await chmod(program, 0o755);
  await chmod(bed.programs, 0o777);
  expect(await said(program)).toContain(`${bed.programs}: its group or everyone may write it`);
  const link = join(bed.programs, "check_link");
  await symlink("/usr/bin/true", link);
  expect(await said(link)).toContain(`${bed.programs}: its group or everyone may write it`);
  await chmod(bed.programs, 0o755);
  expect(await said("/etc/passwd")).toContain("no program that this user may execute");
  expect(await said(await bed.program("../check_outside", ""))).toContain(
    "allow.programs has no such directory",
  );
  expect((await bed.run({ program })).text).toBe("fine");
});

test("secrets in what a program prints are hidden: those of this host, and what looks like one", async () => {
  await using bed = await openCheckBed();
  const secrets = await createSecrets(bed.ports.settings.stateDirectory);
  await secrets.set("database", "x7Kq-unlikely");
  const program = await bed.program(
    "check_login",
    "echo 'x7Kq-unlikely refused for password=hunter22'; exit 2",
  );
  const { severity, text } = await bed.run({ program });
  expect(severity).toBe("critical");
  expect(text).toContain("[secret]");
  expect(text).not.toMatch(/unlikely|hunter22/);
});

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
