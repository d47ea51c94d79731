import { commands, isUndoable, type CommandEnvelope } from "#shared/domain/commands.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { Failure, type FailureDetails } from "#shared/errors.ts";

export type AdmissionFacts = {
  readonly highestEpoch: number;
  readonly allowedVerbs: readonly string[];
  readonly now: number;
};

/** What every command must pass before it is accepted; null, or why it is refused. */
export function admissionRefusal(command: CommandEnvelope, facts: AdmissionFacts): Failure | null {
  const { kind } = command;
  const outdated = epochRefusal(command, facts.highestEpoch);
  if (outdated !== null) return outdated;
  if (!facts.allowedVerbs.includes(kind)) {
    return refused(
      `${kind} is not among allow.verbs of this host`,
      `If it should be, add ${kind} to allow.verbs in agent.yaml and restart the agent.`,
    );
  }
  if (command.phase === "undo" && !isUndoable(kind)) {
    return refused(`${kind} can't be undone`, null);
  }
  const parsed = commands[kind].args.safeParse(command.args);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = ["args", ...(issue?.path ?? [])].map(String).join(".");
    return refused(`${kind}: ${where}: ${issue?.message ?? "against the schema"}`, null);
  }
  return expiryRefusal(command, facts.now);
}

/** Checked when it arrives and again when its turn has come: a newer coordinator may have come meanwhile. */
export function epochRefusal(
  { id, epoch }: Pick<CommandEnvelope, "id" | "epoch">,
  highestEpoch: number,
): Failure | null {
  if (epoch >= highestEpoch) return null;
  return refused(
    `command ${id} has epoch ${epoch}; this agent has seen epoch ${highestEpoch}`,
    "It came from a coordinator that was replaced. Stop the older one.",
  );
}

/** Checked when it arrives and again when its turn has come; the coordinator counts in this host's clock. */
export function expiryRefusal(command: CommandEnvelope, now: number): Failure | null {
  if (now <= command.expiresAt) return null;
  return refused(
    `command ${command.id} expired ${Math.round(now - command.expiresAt)} ms before it could begin`,
    "If this repeats, compare the clocks of this host and the coordinator.",
    { retryable: true },
  );
}

/** The node must still be what the plan took it for, right before the effect. */
export function preconditionRefusal(
  { id, preconditions: wanted }: CommandEnvelope,
  { database: found }: Pick<NodeFacts, "database">,
): Failure | null {
  const names = ["systemIdentifier", "role", "timeline"] as const;
  const wrong = names.filter((name) => wanted[name] !== null && wanted[name] !== found[name]);
  if (wrong.length === 0) return null;
  const told = wrong.map((name) => `${name} is ${found[name] ?? "unknown"}, not ${wanted[name]}`);
  return refused(
    `command ${id}: ${told.join("; ")}`,
    found.status === "stopped"
      ? "The database of this host does not run: its log says why. Mend that and start it; or abort."
      : "The node changed since the plan was made: look at `castellan status`, then abort or plan anew.",
    { evidence: [`database ${found.status}${found.problem === null ? "" : `: ${found.problem}`}`] },
  );
}

function refused(
  message: string,
  hint: string | null,
  more: Pick<FailureDetails, "evidence" | "retryable"> = {},
): Failure {
  return new Failure("REFUSED", message, { ...more, ...(hint === null ? {} : { hint }) });
}
