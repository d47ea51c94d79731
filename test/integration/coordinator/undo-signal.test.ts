import { join } from "node:path";
import { expect, test } from "vitest";
import { createClusterFiles } from "#coordinator/cluster-file/cluster-files.ts";
import { createEvents } from "#coordinator/events.ts";
import type { LocalStep } from "#coordinator/operations/local-steps/local-step.ts";
import type { PlanStep } from "#coordinator/operations/plan.ts";
import { Runner } from "#coordinator/operations/runner.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import { Failure } from "#shared/errors.ts";
import { systemClock } from "#shared/time.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { someCluster, someOperation, somePlan } from "./some-plan.ts";
import { makeStateFolder, quickSettings, quietLog } from "./test-coordinator.ts";

test("the signals of two rollbacks come from no common one, which would keep a note of each for good", async () => {
  using folder = await makeStateFolder();
  const settings = quickSettings(folder.path);
  using store = openStore({ file: join(folder.path, "journal.db"), keptEvents: 1_000, now: 0 });
  const undos: AbortSignal[] = [];
  const refuse = (): never => {
    throw new Failure("REFUSED", "Not of this step.");
  };
  const declareNode: LocalStep<"declare-node"> = {
    run: refuse,
    undo: async (_, { signal }) => {
      undos.push(signal);
      return { alreadyDone: false, lines: [], files: [] };
    },
  };
  const ids = ["op-first", "op-second"];
  await using runner = new Runner({
    store,
    clock: systemClock,
    log: quietLog,
    events: createEvents(store, quietLog, systemClock),
    commands: { view: () => null, dispatch: refuse },
    reserve: () => undefined,
    clusterFiles: createClusterFiles(settings.clustersDirectory),
    localSteps: {
      "declare-node": declareNode,
      "attach-pool": { run: refuse, undo: refuse },
      "detach-pool": { run: refuse, undo: refuse },
      "hand-over": { run: refuse, undo: refuse },
      "stop-databases": { run: refuse, undo: refuse },
      "undeclare-node": { run: refuse, undo: refuse },
      "bring-back": { run: refuse, undo: refuse },
      "hand-back": { run: refuse, undo: refuse },
      drill: { run: refuse, undo: refuse },
    },
    limits: settings.limits,
    random: () => 0,
    settle: async () => () => undefined,
    onRest: () => undefined,
    newOperationId: () => ids.shift() ?? "op-more",
  });
  for (let turn = 0; turn < 2; turn += 1) {
    const asked = someOperation(somePlan(declareStep), { onFailure: "rollback" });
    const { id } = runner.start(asked);
    await waitFor(() => store.operation(id)?.state === "rolled-back", { what: "the rollback" });
  }
  const [first, second] = undos.map(sourcesOf);
  expect(first).toHaveLength(2);
  // One that both had would be alive: it is the module's. What was one's own may have been collected.
  const common = second?.filter((source) => source !== undefined && first?.includes(source));
  expect(common).toEqual([]);
});

const declareStep: PlanStep = {
  id: "declare-node",
  phase: "register",
  title: "declare srv129",
  preview: [],
  on: null,
  kind: "declare-node",
  args: { node: declared(1) },
};

function declared(index: number) {
  const node = someCluster.nodes[index];
  if (node === undefined) throw new RangeError(`there is no node ${index}`);
  return node;
}

/** What a signal is composed of: Node keeps references to it, of classes of its own, under a symbol. */
function sourcesOf(signal: AbortSignal): readonly unknown[] {
  const key = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === "kSourceSignals",
  );
  const sources: Iterable<WeakRef<AbortSignal>> = key === undefined ? [] : Reflect.get(signal, key);
  return [...sources].map((source) => source.deref());
}
