import { expect, test } from "vitest";
import { trustCheck } from "#agent/checks/trust-check.ts";
import type { CheckResult } from "#agent/checks/check.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { createProgramRunner, createPrograms } from "#agent/adapters/programs.ts";
import { openPorts } from "../real-ports.ts";

/** One run with these addresses in agent.yaml, or with none and this file on the host. */
async function ask(
  trustAddresses: readonly string[],
  {
    file,
    programs,
    declared = [],
  }: {
    readonly file?: string;
    readonly programs?: readonly string[];
    readonly declared?: readonly string[];
  } = {},
): Promise<CheckResult> {
  await using home = await openPorts();
  const { settings } = home.ports;
  const guard = { ...settings.guard, trustAddresses: [...trustAddresses] };
  const files: FileFacts[] = file === undefined ? [] : [haModule(file)];
  const check = trustCheck(
    {
      settings: { ...settings, guard },
      programs:
        programs === undefined
          ? home.ports.programs
          : createPrograms(programs, createProgramRunner({ home: "/" })),
    },
    () => declared,
    () => files,
  );
  return check.run(new AbortController().signal);
}

test("addresses that answer are counted; names that nobody knows are told as that, and nothing is critical", async () => {
  expect(await ask(["127.0.0.1", "localhost"])).toEqual({ severity: null, text: "2 of 2 answer" });
  const found = await ask(["127.0.0.1", "nobody.invalid"]);
  expect(found.severity).toBe("warning");
  expect(found.text).toMatch(/^the name nobody\.invalid can't be resolved; 1 of 2 answer/);
});

test("where agent.yaml names none, those of the declaration and of the vendor's own file are asked", async () => {
  const file = 'KB_GATEWAY_IP="127.0.0.1, 127.0.0.2"\n';
  expect((await ask([], { file })).text).toBe("2 of 2 answer");
  expect((await ask([], { file, declared: ["127.0.0.2", "127.0.0.3"] })).text).toBe(
    "3 of 3 answer",
  );
  expect((await ask(["127.0.0.1"], { declared: ["127.0.0.3"] })).text).toBe("1 of 1 answer");
  expect(await ask([])).toEqual({ severity: null, text: "no trust address is named" });
});

test("without ping a connection that is refused is an answer, and that is said", async () => {
  const found = await ask(["127.0.0.1"], { programs: ["/nonexistent"] });
  expect(found.severity).toBe(null);
  expect(found.text).toMatch(/^1 of 1 answer \(asked over TCP as well: no program ping/);
});

function haModule(maskedText: string): FileFacts {
  return {
    path: "/home/kingbase/HAmodule.conf",
    format: "ha-module",
    state: "present",
    hash: null,
    owner: null,
    mode: null,
    modifiedAt: null,
    maskedText,
  };
}
