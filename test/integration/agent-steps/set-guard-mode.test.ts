import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setGuardMode } from "#agent/steps/set-guard-mode.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { cronFile } from "#test/unit/agent/decide/view-builder.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { createTestAgent } from "./test-agent.ts";

const rewind = "*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh";

async function agentThatSees(files: FileFacts[]) {
  const folder = await mkdtemp(join(tmpdir(), "castellan-mode-"));
  const agent = await createTestAgent({
    product: "kingbase-v8r3",
    node: "srv129",
    stateDirectory: join(folder, "state"),
    allowedPaths: [folder],
    paths: {
      root: folder,
      binDirectory: folder,
      dataDirectory: folder,
      configFile: folder,
      hbaFile: folder,
      identFile: folder,
    },
    database: { host: folder, port: 1, name: "TEST", user: "nobody" },
    secrets: {},
  });
  return {
    ...agent,
    observe: () => Promise.resolve(someFacts({ files })),
    [Symbol.asyncDispose]: async () => {
      await agent[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

test("the guard is not put in charge beside the vendor's cron check, and the refusal names its line", async () => {
  await using agent = await agentThatSees([cronFile(`${rewind}\n`)]);
  await expect(setGuardMode.apply({ mode: "enforce", by: "dba" }, agent)).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringMatching(/KINGBASECRON:1 runs .*network_rewind\.sh/),
    hint: expect.stringContaining("castellan guard takeover"),
  });
  expect(agent.guardModes.current().mode).toBe("observe");
});

test("nor while nobody can see which lines are active", async () => {
  await using agent = await agentThatSees([
    { ...cronFile(""), state: "unreadable", maskedText: null },
  ]);
  await expect(setGuardMode.apply({ mode: "enforce", by: "dba" }, agent)).rejects.toThrow(
    "KINGBASECRON is unreadable",
  );
});

test("with the vendor's line commented it is, and it observes again whatever cron does", async () => {
  await using agent = await agentThatSees([cronFile(`#${rewind}\n`)]);
  const enforce = { mode: "enforce", by: "dba@host" } as const;
  await setGuardMode.apply(enforce, agent);
  expect((await setGuardMode.verify(enforce, agent)).guard).toMatchObject(enforce);
  const back = {
    ...agent,
    observe: () => Promise.resolve(someFacts({ files: [cronFile(rewind)] })),
  };
  await setGuardMode.apply({ mode: "observe", by: "dba@host" }, back);
  expect(agent.guardModes.current().mode).toBe("observe");
});

test("taken back, it is what it was before the operation, however often it was set", async () => {
  await using agent = await agentThatSees([]);
  const enforce = { mode: "enforce", by: "dba@host" } as const;
  expect(await setGuardMode.check(enforce, agent)).toBeNull();
  await setGuardMode.apply(enforce, agent);
  await setGuardMode.apply(enforce, agent);
  expect(await setGuardMode.check(enforce, agent)).toMatchObject({ alreadyDone: true });
  await agent.guardModes.beginMaintenance({ forMs: 60_000, by: "dba", note: null });
  expect((await setGuardMode.verify(enforce, agent)).lines).toEqual([
    "the guard is in mode maintenance, and enforce after it",
  ]);
  expect((await setGuardMode.undo(enforce, agent)).lines).toEqual([
    "the guard is in mode observe again",
  ]);
  expect(agent.guardModes.lasting()).toBe("observe");
  expect((await setGuardMode.undo(enforce, agent)).lines).toEqual([
    "the guard's mode was not set by this operation",
  ]);
});
