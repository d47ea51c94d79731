import { expect, test } from "vitest";
import { Failure } from "#shared/errors.ts";
import { createCommandLine } from "#coordinator/cli/command-line.ts";
import type { CliContext } from "#coordinator/cli/context.ts";
import type { AddNodeAnswer } from "#coordinator/api/contract.ts";
import { somePlan } from "#test/integration/coordinator/some-plan.ts";

const digest = "0123456789abcdef";
const command = ["node", "add", "ESHA", "srv159", "--address", "10.0.0.159"];

test("what was shown and confirmed is what is asked for, by its digest", async () => {
  const { posts, run } = createScene("srv159");
  await run(command);
  expect(posts).toMatchObject([
    { dryRun: true, plan: null },
    { dryRun: false, plan: digest },
  ]);
});

test("a plan that changed between the showing and the typing is refused by the coordinator, and that is said", async () => {
  const { posts, run } = createScene("srv159", new Failure("PLAN_CHANGED", "not the one"));
  await expect(run(command)).rejects.toMatchObject({ code: "PLAN_CHANGED" });
  expect(posts).toHaveLength(2);
});

test("anything else typed begins nothing", async () => {
  const { posts, run } = createScene("srv129");
  await expect(run(command)).rejects.toMatchObject({ code: "USAGE" });
  expect(posts).toHaveLength(1);
});

test("with --plan nothing is asked, and nothing else is run", async () => {
  const { posts, run } = createScene(null);
  await run([...command, "--plan", digest]);
  expect(posts).toMatchObject([{ dryRun: false, plan: digest }]);
});

test("a digest that can't be one is refused before anybody is asked", async () => {
  const { posts, run } = createScene(null);
  await expect(run([...command, "--plan", "latest"])).rejects.toMatchObject({ code: "USAGE" });
  expect(posts).toEqual([]);
});

test("a dry run says how to run this very plan", async () => {
  const { printed, run } = createScene(null);
  await run([...command, "--dry-run"]);
  expect(printed.at(-1)).toContain(`--plan ${digest}`);
});

/** An operator at a coordinator that has one plan; `typed` answers the question, null without a terminal. */
function createScene(typed: string | null, refusal?: Failure) {
  const posts: unknown[] = [];
  const printed: string[] = [];
  const plan = { ...somePlan(), digest };
  const print = (lines: readonly string[]): void => void printed.push(...lines);
  const context: CliContext = {
    client: () => ({
      get: () => Promise.reject(new Error("nothing is got here")),
      post: <T>(path: string, body: unknown) => {
        expect(path).toBe("/clusters/ESHA/nodes");
        posts.push(body);
        const isDry = JSON.stringify(body).includes('"dryRun":true');
        if (!isDry && refusal !== undefined) return Promise.reject(refusal);
        const answer = { plan, operation: isDry ? null : { id: "op-12345678" } };
        return Promise.resolve(answer as AddNodeAnswer as T); // of the operation only the id is looked at
      },
      download: () => Promise.reject(new Error("nothing is downloaded here")),
      // It has ended by the time anybody looks.
      watch: async function* () {},
    }),
    terminal: { isInteractive: false, print, printError: print, draw: print, drawDone: () => {} },
    requestedBy: "dba@console",
    stateDirectory: () => "/nowhere",
    now: () => 0,
    elapsedMs: () => 0,
    interrupted: new AbortController().signal,
    setExitCode: () => undefined,
    ask: () => Promise.resolve(typed),
  };
  const run = (args: readonly string[]) =>
    createCommandLine(context).parseAsync(["node", "castellan", ...args]);
  return { posts, printed, run };
}
