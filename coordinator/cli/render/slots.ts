import type { NodeSlots, SlotLine, SlotsAnswer } from "../../api/contract.ts";
import { renderTable } from "./table.ts";
import { renderBytes, renderDuration, renderTime } from "./units.ts";

/** The table of `castellan slot list`: a line a slot, then what is to be said of each, then disks and archivers. */
export function renderSlots({ clusters, at }: SlotsAnswer): readonly string[] {
  if (clusters.length === 0) return ["No cluster is declared."];
  return [
    ...clusters.flatMap(({ name, problem, nodes }) => {
      if (problem !== null) return [name, `  ${problem}`, ""];
      const lines = nodes.flatMap((node) => node.slots.map((slot) => slotCells(node, slot, at)));
      return [
        name,
        ...(lines.length === 0 ? ["No slots."] : renderTable(headings, lines)),
        ...nodes.flatMap((node) => node.slots.flatMap((slot) => noteLines(node, slot))),
        ...nodes.flatMap((node) => nodeLines(node)),
        "",
      ];
    }),
  ].slice(0, -1);
}

const headings = ["NODE", "SLOT", "OWNER", "STATE", "RETAINED", "BUDGET", "XMIN AGE", "SINCE", "PURPOSE"]; // prettier-ignore

function slotCells(node: NodeSlots, slot: SlotLine, at: number): readonly string[] {
  return [
    node.node,
    slot.slot,
    ownerText(slot),
    slot.state === "active" && slot.client !== null ? `active: ${slot.client}` : slot.state,
    slot.retainedBytes === null ? "-" : renderBytes(slot.retainedBytes),
    slot.budgetBytes === null ? "-" : renderBytes(slot.budgetBytes),
    slot.xminAge === null ? "-" : String(slot.xminAge),
    `${slot.isSinceSeen ? "seen " : ""}${renderDuration(Math.max(0, at - slot.since))} ago`,
    slot.purpose,
  ];
}

function ownerText({ isOurs, owner, operationId }: SlotLine): string {
  if (isOurs) return `${owner ?? "?"} (${operationId ?? "?"})`;
  return owner === null ? "not ours" : `${owner} (not ours)`;
}

function noteLines(node: NodeSlots, { slot, note }: SlotLine): readonly string[] {
  return note === null ? [] : [`  ${node.node}: ${slot}: ${note}`];
}

function nodeLines({ node, agent, walDisk, archiver }: NodeSlots): readonly string[] {
  if (agent !== "connected") {
    return [`  ${node}: its agent is ${agent === "away" ? "away" : "not joined"}, so nothing is known of its slots`]; // prettier-ignore
  }
  const lines: string[] = [];
  if (walDisk !== null) {
    const { directory, freeBytes, totalBytes, fillBytesPerSecond, secondsToFull } = walDisk;
    const fills =
      fillBytesPerSecond === null || secondsToFull === null
        ? "does not fill"
        : `fills by ${renderBytes(fillBytesPerSecond)}/s, full in ${renderDuration(secondsToFull * 1_000)}`;
    lines.push(
      `  ${node}: WAL in ${directory}: ${renderBytes(freeBytes)} free of ${renderBytes(totalBytes)}, ${fills}`,
    );
  }
  if (archiver !== null && (archiver.backlog !== null || archiver.failedCount > 0)) {
    lines.push(`  ${node}: ${archiverText(archiver)}`);
  }
  return lines;
}

function archiverText(archiver: NonNullable<NodeSlots["archiver"]>): string {
  const { backlog, lastArchivedWal, lastArchivedAt, failedCount, lastFailedWal, lastFailedAt } =
    archiver;
  const waits =
    backlog === null
      ? "archiver"
      : `archiver: ${backlog.isCut ? "at least " : ""}${backlog.count} segments wait (${renderBytes(backlog.bytes)})`;
  const last =
    lastArchivedWal === null
      ? "nothing archived yet"
      : `last archived ${lastArchivedWal} at ${renderTime(lastArchivedAt)}`;
  const failed =
    failedCount === 0
      ? "never failed"
      : `failed ${failedCount} times, last for ${lastFailedWal ?? "?"} at ${renderTime(lastFailedAt)}`;
  return `${waits}, ${last}, ${failed}`;
}
