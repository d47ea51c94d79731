import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import { planFailover } from "#coordinator/failover/plan.ts";
import { drillReport } from "#coordinator/operations/drill/report.ts";
import type { Plan } from "#coordinator/operations/plan.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { CommandEnvelope } from "#shared/domain/commands.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createWorld } from "#test/unit/coordinator/world.ts";
import { done, failed, type Script, type ScriptedAgent } from "./scripted-agent.ts";
import { startTestCoordinator, type TestCoordinator } from "./test-coordinator.ts";

const evidence = { alreadyDone: false, lines: [], files: [] };
const felt = { answered: 10, failed: 1, longestGapMs: 900 };
const isUndo = ({ kind, phase }: CommandEnvelope, of: string): boolean => kind === of && phase === "undo"; // prettier-ignore

test("another node leads before the client is through: the drill says who, and why", async () => {
  await using coordinator = await startTestCoordinator();
  const told = { writes: felt, reads: felt, lost: 0, primary: "192.168.4.129:5432", sinceFirstRowMs: 400 }; // prettier-ignore
  const bed = await drillBed(coordinator, async (command) => {
    if (command.kind !== "run-load") return ends(command);
    await failedOver(coordinator);
    return done({ ...evidence, ...told });
  });
  const ended = await bed.drill();
  expect(ended.state).toBe("succeeded");
  expect(drillReport(ended)).toMatchObject({
    primary: { before: "srv127", after: "srv129", why: "it has most" },
    blackoutMs: { writes: 900 },
  });
  expect(bed.srv127.commands.map(({ kind }) => kind)).toEqual(["kill-primary"]);
});

test("a client that failed after the failover takes nothing back: the drill goes on, not measured", async () => {
  await using coordinator = await startTestCoordinator();
  const bed = await drillBed(coordinator, async (command) => {
    if (command.kind !== "run-load" || command.phase === "undo") return ends(command);
    await failedOver(coordinator);
    return failed({ code: "PROGRAM_FAILED", message: "the client was cut off" });
  });
  const ended = await bed.drill();
  expect(ended.state).toBe("succeeded");
  expect(drillReport(ended)).toMatchObject({ struckAt: null, blackoutMs: null });
  // Killed once, never opened again, and the table is gone.
  expect(bed.srv127.commands.map(({ kind, phase }) => `${kind} ${phase}`)).toEqual(["kill-primary run"]); // prettier-ignore
  expect(bed.srv129.commands.some((command) => isUndo(command, "run-load"))).toBe(true);
});

test("where nobody takes over the primary is opened again, and then the table goes", async () => {
  await using coordinator = await startTestCoordinator();
  const order: string[] = [];
  const bed = await drillBed(coordinator, (command) => {
    if (command.phase === "undo") order.push(command.kind);
    if (command.kind !== "run-load" || command.phase === "undo") return ends(command);
    return failed({ code: "PROGRAM_FAILED", message: "the pool answered nothing" });
  });
  const ended = await bed.drill();
  expect(ended).toMatchObject({ state: "rolled-back", failure: { message: expect.stringContaining("the pool answered nothing") } }); // prettier-ignore
  expect(order).toEqual(["kill-primary", "run-load"]);
});

type Bed = {
  readonly srv127: ScriptedAgent;
  readonly srv129: ScriptedAgent;
  drill(): Promise<OperationRecord>;
};

/** Both agents do as the script says; the fault comes at once. */
async function drillBed(coordinator: TestCoordinator, script: Script): Promise<Bed> {
  const { core, state } = coordinator;
  mkdirSync(join(state.path, "clusters"), { recursive: true });
  core.ports.clusterFiles.create("ESHA", printClusterYaml(createWorld().declaration));
  const agents = {
    srv127: coordinator.agent("srv127", { script }),
    srv129: coordinator.agent("srv129", { script }),
  };
  for (const node of Object.keys(agents)) await waitFor(() => core.hub.view(node)?.facts);
  return {
    ...agents,
    drill: async () => {
      const asked = { kind: "drill", cluster: "ESHA", subject: "srv127", requestedBy: "dba" } as const; // prettier-ignore
      const { id } = core.runner.start({
        ...asked,
        plan: planOf(coordinator),
        onFailure: "rollback",
      });
      return waitFor(() => {
        const found = core.ports.store.operation(id);
        return found !== null && !["planned", "running", "rolling-back"].includes(found.state) ? found : null; // prettier-ignore
      });
    },
  };
}

function planOf({ core }: TestCoordinator): Plan {
  const { declaration, hash } = core.ports.clusterFiles.load("ESHA");
  const pool = { host: "192.168.4.129", port: 9999, user: "postgres", database: "app" };
  return {
    declaration,
    declarationHash: hash,
    checks: [],
    forecast: null,
    steps: [
      {
        id: "drill/srv127",
        phase: "drill",
        title: "Kill srv127",
        preview: [],
        on: null,
        kind: "drill",
        args: { node: "srv127", fault: "kill-primary", client: "srv129", pool, streams: [], beforeMs: 1, afterMs: 60_000, stallMs: 1_000 }, // prettier-ignore
      },
    ],
    noReturn: "drill/srv127",
    notes: [],
  };
}

/** As the pool's call makes it. */
async function failedOver({ core }: TestCoordinator): Promise<void> {
  const { clusterFiles, store } = core.ports;
  const candidate = { node: "srv129", systemIdentifier: null, timeline: 1, position: "0/3000000" };
  const plan = planFailover(clusterFiles.load("ESHA"), candidate, ["it has most"]);
  const { id } = core.runner.start({ kind: "failover", cluster: "ESHA", subject: "srv129", requestedBy: "pool", plan, onFailure: "rollback" }); // prettier-ignore
  await waitFor(() => store.operation(id)?.state === "succeeded");
}

function ends({ kind }: CommandEnvelope) {
  return done(kind === "promote" ? { ...evidence, timeline: 2 } : evidence);
}
