import { crashPoint } from "#shared/crash-point.ts";
import { killServer } from "./kill-standby.ts";
import type { ChangeStep } from "./step.ts";
import { noteFailure, stopPrimary } from "./stop-primary.ts";

/** What a crash of the server does. Otherwise as stop-primary. */
export const killPrimary: ChangeStep<"kill-primary"> = {
  ...stopPrimary,
  apply: async ({ stallMs }, context) => {
    await noteFailure(context);
    crashPoint("step:killing-primary");
    await killServer(stallMs, context);
  },
};
