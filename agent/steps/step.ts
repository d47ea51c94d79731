import type {
  commands,
  CommandArgs,
  CommandKind,
  CommandResult,
  Evidence,
  UndoableKind,
} from "#shared/domain/commands.ts";
import type { StepContext } from "../ports.ts";

/**
 * How the agent does one kind of step. Each part can run twice.
 *  check  - the result if the wanted state is there already (and ours, where that matters), else null
 *  apply  - makes it so; what it makes is in the ledger before it is made
 *  verify - reads back from the world and answers the result, or throws VERIFICATION_FAILED
 *  undo   - takes back only what the ledger or a marker says this operation made; nothing there is success
 * Expected trouble is thrown as Failure with evidence; `retryable` says whether trying again may help.
 */
export type ReadStep<K extends CommandKind> = {
  readonly verify: (args: CommandArgs<K>, context: StepContext) => Promise<CommandResult<K>>;
};

export type ChangeStep<K extends CommandKind> = ReadStep<K> & {
  readonly check: (args: CommandArgs<K>, context: StepContext) => Promise<CommandResult<K> | null>;
  readonly apply: (args: CommandArgs<K>, context: StepContext) => Promise<void>;
  readonly undo: (args: CommandArgs<K>, context: StepContext) => Promise<Evidence>;
};

/** A state that is set: there is nothing to take back. */
export type SetStep<K extends CommandKind> = Pick<ChangeStep<K>, "apply" | "verify">;

/** A missing or misspelt executor is a compile error. */
export type Executors = {
  readonly [K in CommandKind]: K extends UndoableKind
    ? ChangeStep<K>
    : (typeof commands)[K]["effect"] extends "set"
      ? SetStep<K>
      : ReadStep<K>;
};
