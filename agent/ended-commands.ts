import type { CommandsOnDisk, EndedCommand } from "./commands-on-disk.ts";
import type { Ports } from "./ports.ts";

/**
 * The ends of commands, also while the disk takes none: then they are told all the same, stored as soon as it takes
 * something again, and reported as interrupted after a restart. Nothing here rejects.
 */
export type EndedCommands = {
  /** An end that is not on disk yet. */
  unstored(commandId: string): EndedCommand | null;
  store(ended: EndedCommand): Promise<void>;
  /** To be called when the disk has taken something. */
  storeLate(): Promise<void>;
  acknowledge(commandId: string): Promise<void>;
  unacknowledged(): readonly EndedCommand[];
};

export function createEndedCommands(
  disk: Pick<CommandsOnDisk, "ended" | "acknowledged" | "unacknowledged">,
  { clock, log }: Pick<Ports, "clock" | "log">,
): EndedCommands {
  const unstored = new Map<string, EndedCommand>();
  /** Those of them that the coordinator has acknowledged. */
  const heard = new Set<string>();

  async function store(ended: EndedCommand): Promise<void> {
    try {
      await disk.ended(ended, clock.now());
      unstored.delete(ended.commandId);
    } catch (error) {
      unstored.set(ended.commandId, ended);
      log.error(
        { command: ended.commandId, err: error },
        "The end of a command could not be stored.",
      );
    }
  }

  /** An end that is told once more does no harm. */
  async function acknowledged(id: string): Promise<void> {
    await disk.acknowledged(id).catch((error: unknown) => {
      log.error({ command: id, err: error }, "An acknowledgement could not be stored.");
    });
  }

  return {
    unstored: (commandId) => unstored.get(commandId) ?? null,
    store,
    storeLate: async () => {
      for (const ended of unstored.values()) await store(ended);
      for (const id of heard) {
        if (unstored.has(id)) continue;
        heard.delete(id);
        await acknowledged(id);
      }
    },
    acknowledge: async (commandId) => {
      const late = unstored.get(commandId);
      if (late !== undefined) await store(late);
      if (unstored.has(commandId)) heard.add(commandId);
      else await acknowledged(commandId);
    },
    unacknowledged: () => [
      ...disk.unacknowledged(),
      ...[...unstored.values()].filter(({ commandId }) => !heard.has(commandId)),
    ],
  };
}
