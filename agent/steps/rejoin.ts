import { follow, rejoinNoted } from "./follow.ts";
import type { ChangeStep } from "./step.ts";

/** What the guard does by itself where `guard.rejoin` lets it: a person asks for it, whatever that says. */
export const rejoin: ChangeStep<"rejoin"> = { ...follow, apply: rejoinNoted };
