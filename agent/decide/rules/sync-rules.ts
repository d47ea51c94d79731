import { streamingStandbys } from "../view.ts";
import type { Rule } from "./rule.ts";

/** Whether commits wait for a standby, and whether there is one. */
export const syncRules: readonly Rule[] = [
  {
    id: "primary-without-standbys",
    because: "a primary without a streaming standby has no redundancy",
    severity: "warning",
    looks: 3,
    class: "sync",
    when: ({ facts: { database }, facts }, memory) => {
      if (database.status !== "running" || database.role !== "primary") return null;
      const expected = database.slots
        .filter((slot) => slot.type === "physical")
        .map((slot) => slot.name);
      const isExpected =
        expected.length > 0 || memory.hadStandby || (facts.pool?.rows.length ?? 0) > 1;
      if (!isExpected || streamingStandbys({ facts }).length > 0) return null;
      return expected.length === 0
        ? "nobody streams from here"
        : `nobody streams from here, though there are slots: ${expected.join(", ")}`;
    },
    nearly: ({ facts: { database }, facts }) =>
      database.status === "running" &&
      database.role === "primary" &&
      streamingStandbys({ facts }).length === 0
        ? {
            evidence: "nobody streams from here",
            missing: "a slot, a pool row or an earlier standby that says that one is expected",
          }
        : null,
    next: "castellan status: why does no standby stream? Commits are not held back by this rule",
  },
];
