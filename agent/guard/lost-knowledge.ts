import type { HostEvent } from "../host-event.ts";
import type { Ports } from "../ports.ts";

/** Alerts while the guard can't know what it has to; not muted with its rules. */
export type LostKnowledge = {
  look(now: number): void;
  /** Causes with an open alert. */
  openCauses(): readonly string[];
};

type Row = {
  readonly cause: string;
  /** What happened; null where all is known. */
  readonly trouble: () => string | null;
  readonly lost: string;
  readonly known: string;
  readonly next: string;
};

export function createLostKnowledge(
  { guardModes, guardMarks, clusterView, settings }: Pick<Ports, "guardModes" | "guardMarks" | "clusterView" | "settings">, // prettier-ignore
  onHostEvent: (event: HostEvent) => void,
  openBefore: readonly string[],
): LostKnowledge {
  const rows: readonly Row[] = [
    {
      cause: "guard-mode",
      trouble: () => guardModes.trouble(),
      lost: "the guard's mode was lost: it only observes",
      known: "the guard's mode is known",
      next: `castellan guard maintenance ${settings.node} --end keeps it so; docs/guard.md`,
    },
    {
      cause: "guard-marks",
      trouble: () => guardMarks.trouble(),
      lost: "what the guard marked on this host was lost: whether it was a primary, and whether its WAL went another way",
      known: "the guard's marks are kept again",
      next: "castellan status before its database is started by hand: it must not come up beside another primary; docs/guard.md",
    },
    {
      cause: "cluster-view",
      trouble: () => clusterView.trouble(),
      lost: "this coordinator declares this node in another cluster than the guard knows",
      known: "this node's cluster is known",
      next: "where the new one is right: remove that file on this host and restart its agent; else take the node out of the wrong declaration",
    },
  ];
  const open = new Set(openBefore.filter((cause) => rows.some((row) => row.cause === cause)));
  return {
    look: (at) => {
      for (const { cause, trouble, lost, known, next } of rows) {
        const found = trouble();
        if (open.has(cause) === (found !== null)) continue;
        if (found === null) {
          open.delete(cause);
          onHostEvent({ at, kind: "guard-cleared", cause, severity: "info", summary: known, detail: "" }); // prettier-ignore
        } else {
          open.add(cause);
          const detail = `${found}\nnext: ${next}`;
          onHostEvent({ at, kind: "guard-finding", cause, severity: "warning", summary: lost, detail }); // prettier-ignore
        }
      }
    },
    openCauses: () => [...open],
  };
}
