import type { CommandEnvelope } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { epochRefusal, expiryRefusal, preconditionRefusal } from "./admission.ts";
import type { CommandsOnDisk } from "./commands-on-disk.ts";
import type { Ports } from "./ports.ts";
import type { Wakefulness } from "./wakefulness.ts";

/** What a command was told is not so any more: nothing was done. */
export class Stale extends Error {
  readonly failure: Failure;
  readonly outcome: "refused" | "interrupted";
  constructor(outcome: "refused" | "interrupted", failure: Failure) {
    super(failure.message);
    this.failure = failure;
    this.outcome = outcome;
  }
}

export type StillWantedOptions = {
  readonly ports: Pick<Ports, "clock" | "observe">;
  readonly disk: Pick<CommandsOnDisk, "highestEpoch">;
  readonly wakefulness: Pick<Wakefulness, "sleptMs">;
  /** Of the newest coordinator that asked for the command. */
  readonly epoch: () => number;
};

/** A look at the node that is not older than this is as new as a look can be: looking takes that long. */
const stillFreshMs = 250;

/** Of an end that nobody is to blame for. */
export const triedAgain = "The coordinator tries the step again: it first looks at what is there.";

/**
 * Answers what asserts that all which was true when the command was sent still is so, to be called when its turn has
 * come and again right before the effect; the agent's standstills count from now on. It throws Stale.
 */
export function createStillWanted(
  command: CommandEnvelope,
  { ports, disk, wakefulness, epoch }: StillWantedOptions,
): () => Promise<void> {
  const { clock } = ports;
  const sleptBefore = wakefulness.sleptMs();
  let lookedAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const sleptMs = wakefulness.sleptMs() - sleptBefore;
    // Before anything is compared: what was told meanwhile (a newer epoch, a cancel) may still wait in the socket.
    if (sleptMs > 0) throw new Stale("interrupted", stoodStill(command, sleptMs));
    const refusal =
      epochRefusal({ id: command.id, epoch: epoch() }, disk.highestEpoch()) ??
      expiryRefusal(command, clock.now()) ??
      (clock.elapsedMs() - lookedAt < stillFreshMs ? null : await changedNode(command, ports));
    if (refusal !== null) throw new Stale("refused", refusal);
    lookedAt = clock.elapsedMs();
  };
}

async function changedNode(
  command: CommandEnvelope,
  { observe }: Pick<Ports, "observe">,
): Promise<Failure | null> {
  const { systemIdentifier, role, timeline } = command.preconditions;
  if (systemIdentifier === null && role === null && timeline === null) return null;
  return preconditionRefusal(command, await observe());
}

/** The coordinator says it again, if it still is the coordinator and wants it. */
function stoodStill({ id }: CommandEnvelope, sleptMs: number): Failure {
  const seconds = Math.round(sleptMs / 1000);
  return new Failure(
    "INTERRUPTED",
    `the agent stood still for ${seconds} s before command ${id} had its effect; nothing was done`,
    { hint: triedAgain, retryable: true },
  );
}
