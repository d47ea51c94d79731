import { lsnDistance } from "#shared/domain/lsn.ts";
import type { KnownNode } from "../add-node/situation.ts";
import {
  controlOf,
  isRunning,
  namesOf,
  type ClusterSituation,
  type ControlFile,
} from "./situation.ts";

export type LastPrimary =
  | { readonly is: "running"; readonly node: KnownNode }
  | { readonly is: "proven"; readonly node: KnownNode; readonly timeline: number; readonly because: string } // prettier-ignore
  /** It can't be said who, for want of somebody's word: no primary is started. */
  | { readonly is: "missing"; readonly because: string; readonly fix: string }
  /** More than one could be. */
  | { readonly is: "disputed"; readonly because: string; readonly fix: string };

/** A standby may have got a part of the record that came next: up to the end of a page. */
const pageBytes = 8_192;

/**
 * Who was the primary when the databases were stopped: the one that was no standby on the newest timeline that anybody
 * has. Without the word of every node only what the coordinator's own stop has recorded proves it.
 */
export function lastPrimary(situation: ClusterSituation): LastPrimary {
  const { nodes, primaries, stoppedAs } = situation;
  const [running, ...more] = primaries;
  if (running !== undefined && more.length === 0) return { is: "running", node: running };
  if (running !== undefined) {
    return { is: "disputed", because: `${namesOf(primaries)} run as primaries, all of them`, fix: "Clients may be writing to both. castellan status; decide which one stays, and stop the other." }; // prettier-ignore
  }
  const seen = nodes.flatMap((node) => {
    const control = controlOf(node, situation);
    const timeline = isRunning(node) ? node.facts?.database.timeline : control?.timeline;
    return timeline == null ? [] : [{ node, control, timeline }];
  });
  const unseen = nodes.filter((node) => !seen.some((one) => one.node === node));
  const newest = Math.max(0, ...seen.map(({ timeline }) => timeline));
  const could = seen.filter((one) => one.timeline === newest && wasPrimary(one.control));
  const [last, ...others] = could;
  const away = unseen.length === 0 ? "" : `; nothing is known of ${namesOf(unseen)}`;
  if (last === undefined) {
    return { is: "missing", because: `of the nodes that are seen none was the primary on timeline ${newest}${away}`, fix: `Bring ${unseen.length === 0 ? "the last primary" : namesOf(unseen)} back, then castellan cluster start again; if it is gone for good, a standby takes its place: castellan failover. One that its fence holds back is opened by castellan guard confirm-primary.` }; // prettier-ignore
  }
  if (others.length > 0) {
    const all = could.map(({ node, control }) => `${node.declared.name} (${control?.state ?? ""} at ${control?.checkpoint ?? ""})`); // prettier-ignore
    return { is: "disputed", because: `${all.join(" and ")} were primaries on timeline ${newest}`, fix: "Only a person can say whose rows count: make the other one a standby, then start again." }; // prettier-ignore
  }
  const ahead = seen.filter((one) => isAhead(one.control, last.control));
  if (ahead.length > 0) {
    return { is: "disputed", because: `${namesOf(ahead.map(({ node }) => node))} has more WAL than ${last.node.declared.name}, which was stopped cleanly as the primary`, fix: "Somebody was the primary after it: look at their control files (pg_controldata) first." }; // prettier-ignore
  }
  const { name } = last.node.declared;
  const isRecorded =
    stoppedAs?.primary === name &&
    stoppedAs.timeline === last.timeline &&
    last.control?.state === "shut down";
  if (unseen.length > 0 && !isRecorded) {
    return { is: "missing", because: `${name} may have been followed by another primary${away}`, fix: `Bring ${namesOf(unseen)} back, then castellan cluster start again.` }; // prettier-ignore
  }
  const place = `${last.control?.state ?? ""} at ${last.control?.checkpoint ?? ""} on timeline ${last.timeline}`;
  const because = `${place}, ${unseen.length === 0 ? "and nobody has gone further" : "as the stop of the cluster recorded"}`;
  return { is: "proven", node: last.node, timeline: last.timeline, because };
}

function wasPrimary(control: ControlFile | null): boolean {
  return control !== null && !control.state.includes("recovery");
}

/** Of one that was not stopped cleanly the control file does not tell how far it got. */
function isAhead(one: ControlFile | null, last: ControlFile | null): boolean {
  if (one === null || last === null || one === last || last.state !== "shut down") return false;
  return one.timeline === last.timeline && (lsnDistance(last.checkpoint, one.end) ?? 0) > pageBytes;
}
