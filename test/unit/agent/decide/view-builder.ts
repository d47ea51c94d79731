import type { DatabaseFacts, FileFacts } from "#shared/domain/facts.ts";
import { defaultSlotLimits } from "#agent/decide/slot-limits.ts";
import type { GuardView } from "#agent/decide/view.ts";
import { someArchiver, someSlot } from "#test/unit/database-facts.ts";

/** A healthy primary with one streaming standby; a test shows only what differs. */
export function primary(database: Partial<DatabaseFacts> = {}): DatabaseFacts {
  return {
    status: "running",
    problem: null,
    postmasterPid: 100,
    hasStandbyMarker: false,
    hasIncompleteMarker: false,
    role: "primary",
    systemIdentifier: "7412000000000000000",
    timeline: 1,
    versionText: "PostgreSQL 15.18",
    versionNumber: 150_018,
    clientVersionNumber: 150_018,
    binaryVersionText: "postgres (PostgreSQL) 15.18",
    settings: {},
    pendingRestart: [],
    dataDirectory: "/data",
    configFile: "/data/postgresql.conf",
    hbaFile: "/data/pg_hba.conf",
    identFile: "/data/pg_ident.conf",
    position: "0/5000000",
    receivedPosition: null,
    replication: [walsender("srv129")],
    slots: [slot("slot_srv129")],
    receiver: null,
    upstreamProblem: null,
    databases: [],
    tablespaces: [],
    extensions: [],
    clientSessions: 0,
    archiver: someArchiver(),
    ...database,
  };
}

export function walsender(
  applicationName: string,
  state = "streaming",
): DatabaseFacts["replication"][number] {
  return {
    applicationName,
    clientAddress: "192.168.4.129",
    state,
    syncState: "async",
    sentLsn: "0/5000000",
    writeLsn: "0/5000000",
    flushLsn: "0/5000000",
    replayLsn: "0/5000000",
  };
}

export function slot(
  name: string,
  more: Partial<DatabaseFacts["slots"][number]> = {},
): DatabaseFacts["slots"][number] {
  return someSlot(name, more);
}

export function cronFile(maskedText: string): FileFacts {
  return {
    path: "/etc/cron.d/KINGBASECRON",
    format: "cron",
    state: "present",
    hash: "0".repeat(64),
    owner: "0:0",
    mode: 0o644,
    modifiedAt: 0,
    maskedText,
  };
}

export function view(
  database: DatabaseFacts,
  more: {
    readonly hasStalePid?: boolean;
    readonly files?: FileFacts[];
    readonly ownSlots?: GuardView["facts"]["agent"]["ownSlots"];
  } = {},
): GuardView {
  return {
    hasStalePid: more.hasStalePid ?? false,
    limits: defaultSlotLimits,
    facts: {
      agent: {
        version: "0.1.0",
        startedAt: 0,
        product: "postgresql",
        verbs: [],
        poolKind: "none",
        root: null,
        binDirectory: "/bin",
        dataDirectory: "/data",
        databasePort: 5432,
        startMode: "ctl",
        ownSlots: more.ownSlots ?? [],
        droppedSlots: [],
      },
      host: {
        hostname: "srv127",
        bootId: "b",
        clockMs: 0,
        kernel: "6",
        architecture: "x86_64",
        glibc: "2.36",
        user: { name: "postgres", uid: 1, gid: 1 },
        addresses: [],
        memoryBytes: 1,
        limits: { openFiles: 1, processes: 1 },
        filesystems: [],
        rootHelperVerbs: [],
        secrets: [],
      },
      database,
      pool: null,
      files: more.files ?? [],
    },
  };
}
