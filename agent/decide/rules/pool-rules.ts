import type { Rule } from "./rule.ts";

/** The pool of this host, and what it says of the backends. */
export const poolRules: readonly Rule[] = [];
