import type { Rule } from "./rule.ts";

/** Who this node is in its cluster, and whom it follows. */
export const roleRules: readonly Rule[] = [
  {
    id: "standby-not-streaming",
    because: "this standby receives no WAL, so it falls behind and can't take over",
    severity: "warning",
    looks: 3,
    class: "role",
    when: ({ facts: { database } }) => {
      if (database.status !== "running" || database.role !== "standby") return null;
      const { receiver, upstreamProblem } = database;
      if (receiver?.status === "streaming") return null;
      const seen = receiver === null ? "no WAL receiver is running" : `the WAL receiver is ${receiver.status}`; // prettier-ignore
      return upstreamProblem === null ? seen : `${seen}; ${upstreamProblem}`;
    },
    next: "castellan status; where the WAL that it needs is gone, it has to be made anew from the primary",
  },
];
