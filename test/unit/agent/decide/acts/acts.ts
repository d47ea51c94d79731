import type { GuardView } from "#agent/decide/view.ts";

/** By rule: where it acts, in words, and what is seen there. The page prints the steps that it takes there. */
export type Acts = Readonly<Record<string, readonly (readonly [where: string, seen: GuardView])[]>>;
