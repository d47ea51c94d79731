import type { ArchiverFacts, DatabaseFacts, SlotRow } from "#shared/domain/facts.ts";

/** Nothing is there yet. */
export const noDatabase: DatabaseFacts = {
  status: "absent",
  problem: null,
  postmasterPid: null,
  hasStandbyMarker: false,
  hasIncompleteMarker: false,
  role: null,
  systemIdentifier: null,
  timeline: null,
  versionText: null,
  versionNumber: null,
  clientVersionNumber: null,
  binaryVersionText: null,
  settings: {},
  pendingRestart: [],
  dataDirectory: null,
  configFile: null,
  hbaFile: null,
  identFile: null,
  position: null,
  receivedPosition: null,
  replication: [],
  slots: [],
  receiver: null,
  upstreamProblem: null,
  databases: [],
  tablespaces: [],
  extensions: [],
  clientSessions: 0,
  archiver: null,
};

/** A running primary that nobody streams from; a test shows only what differs. */
export function someDatabase(more: Partial<DatabaseFacts> = {}): DatabaseFacts {
  return {
    ...noDatabase,
    status: "running",
    postmasterPid: 100,
    role: "primary",
    systemIdentifier: "7412000000000000000",
    timeline: 1,
    versionText: "PostgreSQL 15.18",
    versionNumber: 150_018,
    clientVersionNumber: 150_018,
    binaryVersionText: "postgres (PostgreSQL) 15.18",
    dataDirectory: "/data",
    configFile: "/data/postgresql.conf",
    hbaFile: "/data/pg_hba.conf",
    identFile: "/data/pg_ident.conf",
    position: "0/5000000",
    ...more,
  };
}

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
