import { join } from "node:path";
import * as z from "zod";
import { openRecordFolder } from "#agent/adapters/record-folder.ts";
import { createCommandRunner, type CommandRunner } from "#agent/command-runner.ts";
import type { Ports } from "#agent/ports.ts";
import { CommandRecord, createCommandsOnDisk, type EndedCommand } from "#agent/commands-on-disk.ts";
import type { ChangeStep, Executors } from "#agent/steps/step.ts";
import type { CommandEnvelope, Evidence } from "#shared/domain/commands.ts";
import type { RuleClass } from "#shared/domain/guard.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { PortsHome } from "./real-ports.ts";

export const evidence: Evidence = { alreadyDone: false, lines: [], files: [] };

/** A change that says what was called, and holds where the test says so. */
export function change(calls: string[], hold?: Promise<void>): ChangeStep<"create-slot"> {
  return {
    check: async () => {
      calls.push("check");
      return null;
    },
    apply: async (_args, { signal }) => {
      calls.push("apply");
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
      if (hold !== undefined) await Promise.race([hold, aborted]);
    },
    verify: async () => {
      calls.push("verify");
      return evidence;
    },
    undo: async () => {
      calls.push("undo");
      return evidence;
    },
  };
}

export async function openRunner(
  home: PortsHome,
  executors: Partial<Executors>,
  kept = 10,
  onPut: () => void = () => undefined,
  world: {
    readonly ports?: Partial<Ports>;
    readonly sleptMs?: () => number;
    readonly guardAtRest?: (classes: readonly RuleClass[]) => Promise<void>;
  } = {},
) {
  const ports = { ...home.ports, ...world.ports };
  const state = ports.settings.stateDirectory;
  const commands = await openRecordFolder(join(state, "commands"), CommandRecord);
  const accepted: string[] = [];
  const ended: EndedCommand[] = [];
  const runner: CommandRunner = await createCommandRunner({
    ports,
    executors,
    wakefulness: { sleptMs: world.sleptMs ?? (() => 0) },
    guardAtRest: world.guardAtRest ?? (async () => undefined),
    disk: createCommandsOnDisk(
      {
        ...commands,
        put: async (key, record) => {
          onPut();
          await commands.put(key, record);
        },
      },
      await openRecordFolder(join(state, "epoch"), z.number()),
      kept,
    ),
    listener: {
      onAccepted: (id) => accepted.push(id),
      onProgress: () => undefined,
      onEnded: (end) => ended.push(end),
    },
  });
  const endOf = (id: string) => waitFor(() => ended.find((end) => end.commandId === id));
  return { runner, accepted, ended, endOf };
}

export function command(more: Partial<CommandEnvelope> = {}): CommandEnvelope {
  return {
    id: "op-abcdefgh/0/run/1",
    epoch: 5,
    operationId: "op-abcdefgh",
    stepId: "create-slot@srv127",
    kind: "create-slot",
    phase: "run",
    args: { slot: "slot_a", forNode: "a", reserve: false, walBudgetBytes: null },
    expiresAt: Date.now() + 60_000,
    preconditions: { systemIdentifier: null, role: null, timeline: null },
    ...more,
  };
}

export const held = (): { readonly promise: Promise<void>; readonly release: () => void } => {
  let release = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release: () => release() };
};
