import { Failure } from "#shared/errors.ts";
import type { CoordinatorPorts } from "../../ports.ts";
import type { OperationRecord } from "../../store/store.ts";
import type { AddNodeLimits } from "../add-node/situation.ts";
import { partOf, runPart, untilRest, type PartRunner } from "../part-run.ts";
import { rebuildNode } from "../rebuild-node/request.ts";
import { rejoinNode } from "../rejoin-node/request.ts";
import { switchOver } from "../switchover/request.ts";
import { attachPool } from "./attach-pool.ts";
import type { LocalStep, LocalStepContext, LocalSteps } from "./local-step.ts";

type RestorePorts = CoordinatorPorts & {
  readonly addNodeLimits: AddNodeLimits;
  readonly runner: PartRunner;
};

/** By operations of their own, with their checks, plans and undo: who leads by now is known only when they begin. */
export function createRestoreLayout(
  ports: RestorePorts,
): Pick<LocalSteps, "bring-back" | "hand-back"> {
  return {
    "bring-back": {
      run: async ({ node, attachment }, context) => {
        const isBack = await streams(node, ports);
        const part = isBack ? null : await rejoined(node, context, ports);
        const line = part === null ? `${node} streams already` : `${part.kind} ${node} (${part.id})`; // prettier-ignore
        const attached = attachment === null ? null : await attachPool.run(attachment, context);
        return { alreadyDone: false, lines: [line, ...(attached?.lines ?? [])], files: [] };
      },
      undo,
    },
    "hand-back": {
      run: async ({ to }, context) => {
        const plan = async () => {
          const request = { ...asked(context), to, lagLimitBytes: null };
          return (await switchOver(ports, ports.runner.start, context.cluster, request)).plan;
        };
        const asPart = { kind: "switchover", subject: to, onFailure: "rollback", plan } as const;
        const { id } = assertSucceeded(await runPart(asPart, context, ports), context);
        return { alreadyDone: false, lines: [`switchover ${to} (${id})`], files: [] };
      },
      undo,
    },
  };
}

/** It is never taken back: what brings nodes back comes after the step of no return. */
const undo: LocalStep<"bring-back">["undo"] & LocalStep<"hand-back">["undo"] = () =>
  Promise.resolve({ alreadyDone: true, lines: ["what was brought back stays"], files: [] });

/** By a rewind where that can help, else copied anew: often only the attempt shows it. */
async function rejoined(
  node: string,
  context: LocalStepContext,
  ports: RestorePorts,
): Promise<OperationRecord> {
  const { fleet, runner } = ports;
  const { cluster } = context;
  const request = { ...asked(context), node };
  const part = { subject: node, onFailure: "pause" } as const;
  const findings = fleet.agent(node)?.facts?.guard.findings ?? [];
  if (!findings.some(({ rule }) => rule === "needs-rebuild")) {
    const plan = async () => (await rejoinNode(ports, runner.start, cluster, request)).plan;
    const rejoin = await runPart({ ...part, kind: "rejoin-node", plan }, context, ports);
    if (!needsRebuild(rejoin)) return assertSucceeded(rejoin, context);
    runner.abort(rejoin.id);
    await untilRest(rejoin.id, context, ports);
  }
  const plan = async () => (await rebuildNode(ports, runner.start, cluster, request)).plan;
  const rebuild = await runPart({ ...part, kind: "rebuild-node", plan }, context, ports);
  return assertSucceeded(rebuild, context);
}

function asked({ operationId }: LocalStepContext) {
  return { requestedBy: partOf(operationId), dryRun: true, plan: null } as const;
}

/** Its guard may have led it back already. */
async function streams(node: string, { fleet }: RestorePorts): Promise<boolean> {
  await fleet.observe([node]);
  return fleet.agent(node)?.facts?.database.receiver?.status === "streaming";
}

function needsRebuild({ state, steps }: OperationRecord): boolean {
  const codes = steps.map(({ failure }) => failure?.code);
  return state === "paused" && codes.includes("OPERATION_NEEDS_ATTENTION");
}

function assertSucceeded(part: OperationRecord, { operationId }: LocalStepContext) {
  if (part.state === "succeeded") return part;
  const { id, kind, state, steps, subject } = part;
  const why = (part.failure ?? steps.find(({ failure }) => failure !== null)?.failure)?.message;
  throw new Failure("OPERATION_NEEDS_ATTENTION", `${kind} ${subject} (${id}) is ${state}: ${why ?? "no word why"}`, {
    hint: `castellan operation show ${id}; then castellan operation resume ${operationId}`,
  }); // prettier-ignore
}
