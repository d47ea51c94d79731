import type { ArchiverFacts, SlotRow } from "#shared/domain/facts.ts";

/** A physical slot that is streamed through; a test shows only what differs. */
export function someSlot(name: string, more: Partial<SlotRow> = {}): SlotRow {
  return {
    name,
    type: "physical",
    plugin: null,
    database: null,
    temporary: false,
    active: true,
    activePid: 100,
    client: "srv129 192.168.4.129",
    restartLsn: "0/4000000",
    retainedBytes: 0x1000000,
    xmin: null,
    xminAge: null,
    catalogXmin: null,
    catalogXminAge: null,
    walStatus: null,
    madeAt: 1_000,
    seenAt: 2_000,
    ...more,
  };
}

/** An archiver that has never failed and has nothing to do. */
export function someArchiver(more: Partial<ArchiverFacts> = {}): ArchiverFacts {
  return {
    archivedCount: 0,
    lastArchivedWal: null,
    lastArchivedAt: null,
    failedCount: 0,
    lastFailedWal: null,
    lastFailedAt: null,
    backlog: null,
    ...more,
  };
}
