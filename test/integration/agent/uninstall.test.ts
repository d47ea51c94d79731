import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { takeInstanceLock } from "#agent/adapters/instance-lock.ts";
import { openGuardModes } from "#agent/guard/guard-modes.ts";
import { uninstall } from "#agent/uninstall.ts";
import { systemClock } from "#shared/time.ts";

/** A host whose guard is in charge. `helper`: a script in the place of castellan-root; $STATE is the state directory. */
async function hostInCharge(helper: string | null, product: "kingbase-v8r3" | "postgresql") {
  const stateDirectory = await mkdtemp(join(tmpdir(), "castellan-uninstall-"));
  onTestFinished(() => rm(stateDirectory, { recursive: true }));
  const program = join(stateDirectory, "helper");
  await writeFile(program, `#!/bin/sh\nSTATE=${stateDirectory}\n${helper ?? ""}\n`, {
    mode: 0o755,
  });
  const rootHelper = helper === null ? null : [program];
  const settings = { node: "srv159", product, rootHelper, stateDirectory };
  const modes = () => openGuardModes({ ...settings, clock: systemClock });
  await (await modes()).setMode("enforce", "dba");
  const files = { configFile: "/etc/castellan/agent.yaml", home: "/" };
  return {
    stateDirectory,
    mode: async () => (await modes()).lasting(),
    leave: () => uninstall({ settings, ...files, pid: process.pid }),
  };
}

test("the guard is out of charge on disk before the vendor's lines come back, with no coordinator anywhere", async () => {
  const helper = 'cp "$STATE/guard-mode.json" "$STATE/then"; echo "$1: restored byte for byte"';
  const { leave, mode, stateDirectory } = await hostInCharge(helper, "kingbase-v8r3");
  expect(await leave()).toEqual([
    "The guard is in charge no more.",
    "/etc/cron.d/KINGBASECRON: cron-restore: restored byte for byte",
    "Still to do, as root:",
    "  castellan-root uninstall",
    `  rm -r ${stateDirectory} /etc/castellan/agent.yaml`,
  ]);
  const whenCalled: unknown = JSON.parse(await readFile(join(stateDirectory, "then"), "utf8"));
  expect(whenCalled).toMatchObject({ mode: "observe", by: "castellan-agent uninstall" });
  expect(await mode()).toBe("observe");
  expect((await leave())[0]).toBe("The guard was not in charge here.");
});

test("while the agent runs nothing is given back: it would act beside the vendor's checks", async () => {
  const { leave, mode, stateDirectory } = await hostInCharge('touch "$STATE/asked"', "kingbase-v8r3"); // prettier-ignore
  {
    await using _agent = await takeInstanceLock(stateDirectory, process.ppid);
    await expect(leave()).rejects.toMatchObject({
      code: "OPERATION_CONFLICT",
      message: `another castellan-agent (pid ${process.ppid}) already runs with the state directory ${stateDirectory}`,
      hint: "Stop it for good first: systemctl disable --now castellan-agent; databases go on.",
    });
  }
  expect(await mode()).toBe("enforce");
  await expect(readFile(join(stateDirectory, "asked"))).rejects.toThrow("ENOENT");
});

test("lines that can't be given back are a failure, and the guard stays out of charge", async () => {
  const helper = 'echo "castellan-root: the file is gone; it is not made again" >&2; exit 10';
  const { leave, mode } = await hostInCharge(helper, "kingbase-v8r3");
  await expect(leave()).rejects.toMatchObject({
    code: "REFUSED",
    message: "castellan-root cron-restore ended with 10: the file is gone; it is not made again",
  });
  expect(await mode()).toBe("observe");
});

test("where no line was ever edited, only the mode changes", async () => {
  const withoutHelper = await hostInCharge(null, "kingbase-v8r3");
  const told = await withoutHelper.leave();
  expect(told[1]).toBe(
    "agent.yaml names no root helper: /etc/cron.d/KINGBASECRON is left as it is.",
  );
  expect(told).not.toContain("  castellan-root uninstall");
  const postgresql = await hostInCharge("exit 70", "postgresql");
  expect((await postgresql.leave()).slice(0, 2)).toEqual([
    "The guard is in charge no more.",
    "Still to do, as root:",
  ]);
});
