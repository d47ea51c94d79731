import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import type { ApiClient } from "#coordinator/cli/client.ts";
import { createCommandLine } from "#coordinator/cli/command-line.ts";
import { followOperation } from "#coordinator/cli/follow-operation.ts";
import { Failure } from "#shared/errors.ts";
import { cliContext, quiet } from "#test/unit/coordinator/cli/cli-context.ts";

async function completionScript(): Promise<string> {
  const said = quiet();
  const program = createCommandLine(cliContext({}, said));
  await program.parseAsync(["node", "castellan", "completion", "bash"]);
  return said.out.join("\n");
}

test.each([
  ["castellan no", "node"],
  ["castellan node ", "rebuild rejoin remove add --help"],
  ["castellan operation show op-1 --j", "--json"],
  ["castellan node add ESHA srv159 --like srv129 --ver", "--verify"],
  ["castellan --socket /run/x.sock op", "operation"],
])("bash completes %j to %j", async (line, words) => {
  const script = `${await completionScript()}
    COMP_WORDS=(${line}${line.endsWith(" ") ? "''" : ""}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
    _castellan; echo "\${COMPREPLY[*]}"`;
  expect(execFileSync("bash", ["-c", script], { encoding: "utf8" }).trim()).toBe(words);
});

test("with --json standard output holds nothing but the answer, even where a plan is shown to confirm", async () => {
  const said = quiet();
  const plan = { checks: [], forecast: null, notes: [], steps: [] };
  const post = () => Promise.resolve({ plan, operation: null } as never); // the API's own shape
  const program = createCommandLine(cliContext({ post }, said));
  const asked = ["node", "add", "ESHA", "srv159", "--address", "10.0.0.159", "--json"];
  await expect(program.parseAsync(["node", "castellan", ...asked])).rejects.toThrow(/no terminal/);
  expect(said.out).toEqual([]);
  expect(said.err.join("\n")).toContain("Steps");
});

test("what was typed wrongly is shown beside what would be right", async () => {
  const program = createCommandLine(cliContext({}, quiet()));
  const asked = ["node", "add", "ESHA", "srv159", "--address", "10.0/159", "--dry-run"];
  await expect(program.parseAsync(["node", "castellan", ...asked])).rejects.toThrow(
    'address is "10.0/159": a host or address.',
  );
});

test("a step that had nothing to say for minutes is looked on at over a restart of the coordinator, too", async () => {
  const operation = { id: "op-12345678", state: "succeeded" };
  let elapsedMs = 0;
  let calls = 0;
  async function* watch() {
    calls += 1;
    await Promise.resolve();
    if (calls === 1) {
      yield { type: "operation", operation };
      elapsedMs += 600_000;
    }
    if (calls < 3) throw new Failure("COORDINATOR_UNREACHABLE", "cut");
    yield { type: "operation", operation };
  }
  const context = cliContext({ watch: watch as unknown as ApiClient["watch"] }, quiet()); // updates of the test's own shape
  let seen = 0;
  const followed = followOperation({ ...context, elapsedMs: () => elapsedMs }, "op-12345678");
  for await (const _ of followed) seen += 1;
  expect(seen).toBe(2);
});

test.each([
  [[], /One of --for, --until and --end/],
  [["--for", "2h", "--end"], /One of --for, --until and --end/],
  [["--until", "2001-01-01 00:00"], /--until is 2001-01-01T00:00:00.000Z, which has been/],
  [["--for", "31d"], /argument '31d' is invalid. maintenance ends after 30 days at the latest/],
  [["--for", "soon"], /a duration such as 30m/],
  [["--until", "tomorrow"], /a time such as/],
])("guard maintenance srv159 %j is refused before anybody is asked", async (options, said) => {
  const program = createCommandLine(cliContext({}, quiet()));
  const argv = ["node", "castellan", "guard", "maintenance", "srv159", ...options];
  for (const command of program.commands.flatMap((one) => [one, ...one.commands])) {
    command.configureOutput({ writeErr: () => undefined });
  }
  await expect(program.parseAsync(argv)).rejects.toThrow(said);
});

test("a person's word that a node is the primary has to be typed, or said with --yes", async () => {
  const asked: unknown[] = [];
  const post = (path: string, body?: unknown): Promise<never> => {
    asked.push([path, body]);
    return Promise.resolve({ node: "srv127", lines: ["it opens"] } as never); // the caller names the answer's type
  };
  const say = (typed: string | null, ...more: readonly string[]) => {
    const context = { ...cliContext({ post }, quiet()), ask: () => Promise.resolve(typed) };
    const argv = ["node", "castellan", "guard", "confirm-primary", "srv127", ...more];
    return createCommandLine(context).parseAsync(argv);
  };
  await expect(say(null)).rejects.toThrow("There is no terminal to confirm on");
  await expect(say("srv129")).rejects.toThrow('"srv129" is not srv127');
  expect(asked).toEqual([]);
  await say("srv127");
  await say(null, "--yes");
  const request = ["/guard/confirm-primary", { node: "srv127", requestedBy: "dba@host" }];
  expect(asked).toEqual([request, request]);
});

test("maintenance that reached one node and not the other says so and exits as for the other", async () => {
  const said = quiet();
  const asked: unknown[] = [];
  const failure = { code: "NODE_UNREACHABLE", message: "srv129 is away.", hint: null, evidence: [], retryable: true } as const; // prettier-ignore
  const guard = { mode: "observe", until: null, by: null, note: null } as const;
  const nodes = [
    { node: "srv127", guard, failure: null },
    { node: "srv129", guard: null, failure },
  ];
  const post = (path: string, body?: unknown): Promise<never> => {
    asked.push([path, body]);
    return Promise.resolve({ nodes } as never); // the caller names the answer's type
  };
  const program = createCommandLine(cliContext({ post }, said));
  await program.parseAsync(["node", "castellan", "guard", "maintenance", "ESHA", "--end"]);
  expect(asked).toEqual([
    ["/guard/maintenance", { what: "ESHA", forMs: null, note: null, requestedBy: "dba@host" }],
  ]);
  expect(said.out).toEqual(["srv127: observe", "srv129: as it was: srv129 is away."]);
  expect(said.exitCode).toBe(6);
});
