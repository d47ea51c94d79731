import type { LoadedCluster } from "../ports.ts";
import type { Plan } from "../operations/plan.ts";
import type { Candidate } from "./decide.ts";

/** Guards re-point the others, put the virtual address up and bring the former primary back. */
export function planFailover(
  { declaration, hash }: LoadedCluster,
  { node, position, systemIdentifier, timeline }: Candidate,
  notes: readonly string[],
): Plan {
  const id = `promote/${node}`;
  return {
    declaration,
    declarationHash: hash,
    checks: [],
    forecast: null,
    steps: [
      {
        id,
        phase: "hand-over",
        title: `Promote ${node}, which has all up to ${position} of timeline ${timeline}`,
        preview: [],
        on: node,
        kind: "promote",
        args: { timeline, replayed: null, stallMs },
        preconditions: { systemIdentifier, role: "standby", timeline: null },
      },
    ],
    noReturn: id,
    notes,
  };
}

const stallMs = 15_000;
