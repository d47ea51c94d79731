import * as z from "zod";
import { CommandEnvelope } from "#shared/domain/commands.ts";
import { FailureRecord } from "#shared/domain/operation.ts";

/** How a command ended, as it is stored and sent until the coordinator acknowledges it. */
export const EndedCommand = z.strictObject({
  commandId: z.string(),
  outcome: z.enum(["done", "failed", "refused", "interrupted"]),
  result: z.unknown(),
  failure: FailureRecord.nullable(),
});
export type EndedCommand = z.infer<typeof EndedCommand>;

export const CommandRecord = z.strictObject({
  command: CommandEnvelope,
  receivedAt: z.number(),
  ended: EndedCommand.nullable(),
  endedAt: z.number().nullable(),
  acknowledged: z.boolean(),
});
export type CommandRecord = z.infer<typeof CommandRecord>;

/** The part of a record folder that this needs. */
type Records<T> = {
  get(key: string): T | null;
  put(key: string, record: T): Promise<void>;
  delete(key: string): Promise<void>;
  entries(): readonly { readonly key: string; readonly record: T }[];
};

export type CommandsOnDisk = {
  get(id: string): CommandRecord | null;
  /** On disk before the command is accepted, so that a restart knows of it. */
  received(command: CommandEnvelope, at: number): Promise<void>;
  ended(ended: EndedCommand, at: number): Promise<void>;
  acknowledged(id: string): Promise<void>;
  /** Received before a restart and never ended. */
  unfinished(): readonly CommandRecord[];
  unacknowledged(): readonly EndedCommand[];
  highestEpoch(): number;
  /** Answers after the higher number is on disk. */
  raiseEpoch(epoch: number): Promise<void>;
};

/** Commands by id, and the highest epoch seen. Acknowledged ones are kept to answer a repeated id: the newest `kept`. */
export function createCommandsOnDisk(
  records: Records<CommandRecord>,
  epochs: Records<number>,
  kept: number,
): CommandsOnDisk {
  const prune = async (): Promise<void> => {
    const settled = records.entries().filter(({ record }) => record.acknowledged);
    const oldestFirst = settled.sort((a, b) => a.record.receivedAt - b.record.receivedAt);
    for (const { key } of oldestFirst.slice(0, Math.max(0, settled.length - kept))) {
      await records.delete(key);
    }
  };
  return {
    get: (id) => records.get(id),
    received: (command, at) =>
      records.put(command.id, {
        command,
        receivedAt: at,
        ended: null,
        endedAt: null,
        acknowledged: false,
      }),
    ended: async (ended, at) => {
      const record = records.get(ended.commandId);
      if (record !== null) await records.put(ended.commandId, { ...record, ended, endedAt: at });
    },
    acknowledged: async (id) => {
      const record = records.get(id);
      if (record === null || record.ended === null || record.acknowledged) return;
      await records.put(id, { ...record, acknowledged: true });
      await prune();
    },
    unfinished: () =>
      records.entries().flatMap(({ record }) => (record.ended === null ? [record] : [])),
    unacknowledged: () =>
      records
        .entries()
        .flatMap(({ record }) =>
          record.ended === null || record.acknowledged ? [] : [record.ended],
        ),
    highestEpoch: () => epochs.get("highest") ?? 0,
    raiseEpoch: async (epoch) => {
      if (epoch > (epochs.get("highest") ?? 0)) await epochs.put("highest", epoch);
    },
  };
}
