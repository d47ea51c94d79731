import type { CommandArgs, CommandKind, CommandResult } from "#shared/domain/commands.ts";
import { asFailure } from "#shared/errors.ts";
import type { Fleet } from "../../ports.ts";
import type { Asked, KnownNode } from "./situation.ts";

const askMs = 20_000;

/** A read-only question to one host. Why it was not answered is an answer too. */
export async function ask<K extends CommandKind>(
  fleet: Fleet,
  node: KnownNode,
  kind: K,
  args: CommandArgs<K>,
): Promise<Asked<CommandResult<K>>> {
  try {
    const answer = await fleet.ask(node.declared.name, kind, args, { timeoutMs: askMs });
    return { answer, problem: null };
  } catch (error) {
    const { message, hint } = asFailure(error);
    return { answer: null, problem: hint === undefined ? message : `${message} ${hint}` };
  }
}

/** Null for a host whose agent is away: that is said once, by the check on agents. */
export async function askIfThere<K extends CommandKind>(
  fleet: Fleet,
  node: KnownNode,
  kind: K,
  args: CommandArgs<K>,
): Promise<Asked<CommandResult<K>> | null> {
  const isThere = fleet.agent(node.declared.name)?.connected === true;
  return isThere ? ask(fleet, node, kind, args) : null;
}
