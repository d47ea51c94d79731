import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { createProgramRunner } from "#agent/adapters/programs.ts";
import { createRootHelper } from "#agent/adapters/root-helper-client.ts";
import { systemClock } from "#shared/time.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "castellan-helper-"));
  // Stands for castellan-root: the same protocol, no root. The real one has its own tests.
  await writeFile(
    join(folder, "helper"),
    `#!/bin/sh
case "$1" in
  verbs) echo door; echo pool-status; echo "no verb";;
  pool-status) echo running; cat;;
  door) while read line; do case $line in die) echo broken >&2; exit 5;; *) echo "got $line";; esac; done;;
  refused) echo "castellan-root: not that file" >&2; exit 10;;
  missing) echo "castellan-root: no pool" >&2; exit 13;;
  sudo) echo "sudo: a password is required" >&2; exit 1;;
  *) echo "castellan-root: boom" >&2; exit 14;;
esac
`,
    { mode: 0o755 },
  );
});
afterAll(() => rm(folder, { recursive: true }));

function open(command: readonly string[] | null = [join(folder, "helper")]) {
  const runner = createProgramRunner({ home: "/" });
  return createRootHelper({ command, runner, clock: systemClock, home: "/" });
}

test("the helper says which verbs this host offers; without a helper there are none", async () => {
  expect(await open().verbs()).toEqual(["door", "pool-status"]);
  expect(await open(null).verbs()).toEqual([]);
  expect(await open([join(folder, "nothing")]).verbs()).toEqual([]);
});

test("its verbs are remembered, unless a fresh look is wanted: its sudoers line may have gone or come", async () => {
  const program = join(folder, "changing");
  const offer = (verb: string) => writeFile(program, `#!/bin/sh\necho ${verb}\n`, { mode: 0o755 });
  await offer("door");
  const helper = open([program]);
  expect(await helper.verbs()).toEqual(["door"]);
  await offer("cron-comment");
  expect(await helper.verbs()).toEqual(["door"]);
  expect(await helper.verbs(true)).toEqual(["cron-comment"]);
  expect(await helper.verbs()).toEqual(["cron-comment"]);
});

test("a verb runs with its input on standard input", async () => {
  expect((await open().run("pool-status", "input\n")).stdout).toBe("running\ninput\n");
});

test.each([
  ["refused", "REFUSED", "not that file"],
  ["missing", "RESOURCE_MISSING", "no pool"],
  ["sudo", "REFUSED", "sudo does not let"],
  ["other", "PROGRAM_FAILED", "boom"],
])("the trouble of verb %s is %s", async (verb, code, says) => {
  await expect(open().run(verb)).rejects.toMatchObject({
    code,
    message: expect.stringContaining(says),
  });
});

test("a conversation answers every line in order, and its end is told with the helper's words", async () => {
  await using door = await open().open("door");
  const answers = await Promise.all([door.ask("ready"), door.ask("shut 500"), door.ask("open")]);
  expect(answers).toEqual(["got ready", "got shut 500", "got open"]);
  await expect(door.ask("die")).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: expect.stringContaining("broken"),
  });
});

test("a host without a root helper refuses with what to do", async () => {
  await expect(open(null).run("door")).rejects.toMatchObject({
    code: "REFUSED",
    hint: expect.stringContaining("rootHelper"),
  });
});

test("a helper that hangs, which the agent can't end, holds nobody up and is not begun once more", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let begun = 0;
  const runner = () => {
    begun += 1;
    return new Promise<never>(() => undefined);
  };
  const helper = createRootHelper({ command: ["sudo"], runner, clock: systemClock, home: "/" });
  for (const _ of [1, 2]) {
    const ends = expect(helper.run("pool-status")).rejects.toMatchObject({ code: "STALLED" });
    await vi.advanceTimersByTimeAsync(70_000);
    await ends;
  }
  expect(begun).toBe(1);
});
