import type { GuardExecutors } from "./step.ts";

/** Every step of shared/domain/guard.ts, and how this agent does it. */
export const guardExecutors: Partial<GuardExecutors> = {};
