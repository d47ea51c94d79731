import { Failure } from "#shared/errors.ts";
import { lookAtPeer } from "../guard/look-at-peer.ts";
import { evidence } from "./evidence.ts";
import type { SetStep } from "./step.ts";
import type { StepContext } from "../ports.ts";

/** The guard opens it, and looks at everybody again before: a word that was given an hour ago counts no more. */
export const confirmPrimary: SetStep<"confirm-primary"> = {
  apply: async ({ by }, context) => {
    const { clock, guardMarks, guardModes, log, settings } = context;
    if (guardMarks.current().fencedAt === null) {
      throw new Failure("REFUSED", `${settings.node} is not fenced by the guard`, {
        hint: "castellan why says how it is; a standby marker that is not the guard's is left alone.",
      });
    }
    const { mode } = guardModes.current();
    if (mode !== "enforce") {
      throw new Failure("REFUSED", `the guard of ${settings.node} is in mode ${mode}: it opens nothing`, { hint: "castellan guard status" }); // prettier-ignore
    }
    await assertNoOther(context);
    await guardMarks.mark({ confirmedAt: clock.now() });
    log.warn({ by }, "A person says that this node still is the primary.");
  },
  verify: ({ by }, { guardMarks }) => {
    const { confirmedAt } = guardMarks.current();
    const at = confirmedAt === null ? "used already" : new Date(confirmedAt).toISOString();
    return Promise.resolve(evidence([`the word of ${by}: ${at}; the guard opens this node now`]));
  },
};

async function assertNoOther(context: StepContext): Promise<void> {
  const cluster = context.clusterView.current();
  const others = (cluster?.nodes ?? []).filter(({ name }) => name !== context.settings.node);
  const seen = await Promise.all(
    cluster === null ? [] : others.map((one) => lookAtPeer(context, cluster, one)),
  );
  const other = seen.find(({ database }) => database === "primary");
  if (other === undefined) return;
  throw new Failure("REFUSED", `${other.node} is a primary: ${context.settings.node} stays a standby`, { hint: "castellan status" }); // prettier-ignore
}
