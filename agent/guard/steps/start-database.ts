import { incompleteMarker } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import { liftShield } from "../read-only-shield.ts";
import { startStandby } from "../start-standby.ts";
import type { GuardExecutor } from "./step.ts";

/** Only ever as a standby: what was a primary has its marker by then. */
export const startDatabase: GuardExecutor<"start-database"> = async (_step, context) => {
  const { dataDirectory } = context.settings.paths;
  if ((await context.files.stat(`${dataDirectory}/${incompleteMarker}`)) !== null) {
    throw new Failure("REFUSED", `${dataDirectory} is an unfinished copy`, {
      hint: "castellan operation list: the operation that copies it goes on, or takes it away.",
    });
  }
  await startStandby(context);
  await liftShield(context);
  await context.mark({ restartingSince: null });
  return "it answers as a standby";
};
