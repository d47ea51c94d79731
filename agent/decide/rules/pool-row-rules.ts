import { isDown, ledRows, whyDetach, whyNotAttach } from "../pool-rows.ts";
import type { GuardMemory, GuardView } from "../view.ts";
import type { Rule } from "./rule.ts";

/** What the pool says of a backend agrees with what its database does. Only the host whose pool leads acts. */
export const poolRowRules: readonly Rule[] = [
  {
    id: "backend-up-though-gone",
    because: "whoever is up in the pool may be promoted, and lacks what is acknowledged without it",
    severity: "critical",
    looks: 3,
    class: "pool-row",
    when: (view, memory) => {
      const gone = toDetach(view, memory).map(
        ({ row, why }) => `row ${row.id} is ${row.status}: ${why}`,
      );
      return gone.length === 0 ? null : gone.join("; ");
    },
    steps: (view, memory) =>
      toDetach(view, memory).map(({ row }) => ({ do: "detach-backend", id: row.id })),
    next: "pcp_detach_node -n ID; castellan why says what is seen of that node",
  },
  {
    id: "backend-down-though-streaming",
    because: "a healthy standby serves nobody",
    severity: "warning",
    looks: 3,
    class: "pool-row",
    when: (view, memory) => {
      const healthy = downRows(view, memory).filter(({ why }) => why === null);
      if (healthy.length === 0) return null;
      return healthy.map(({ row, node }) => `row ${row.id} is ${row.status}, and ${node.name} streams`).join("; "); // prettier-ignore
    },
    steps: (view, memory) =>
      downRows(view, memory)
        .filter(({ why }) => why === null)
        .map(({ row }) => ({ do: "attach-backend", id: row.id })),
    nearly: (view, memory) => {
      const near = downRows(view, memory)[0];
      if (near === undefined || near.why === null) return null;
      return { evidence: `row ${near.row.id} (${near.node.name}) is ${near.row.status}`, missing: near.why }; // prettier-ignore
    },
    next: "pcp_attach_node -n ID",
  },
];

function toDetach(view: GuardView, memory: GuardMemory) {
  return ledRows(view).flatMap((row) => {
    const why = whyDetach(view, memory, row);
    return why === null ? [] : [{ ...row, why }];
  });
}

function downRows(view: GuardView, memory: GuardMemory) {
  return ledRows(view)
    .filter(isDown)
    .map((row) => ({ ...row, why: whyNotAttach(view, memory, row) }));
}
