import type { Rule } from "./rule.ts";

/** The virtual address is on exactly the primary. */
export const vipRules: readonly Rule[] = [];
