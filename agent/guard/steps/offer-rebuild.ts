import type { GuardExecutor } from "./step.ts";

export const offerRebuild: GuardExecutor<"offer-rebuild"> = async ({ because }, context) => {
  const { at } = context.view.marks.needsRebuild ?? { at: context.clock.now() };
  await context.mark({ needsRebuild: { at, because } });
  return `marked: ${because}`;
};
