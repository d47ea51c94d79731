import type { DatabaseFacts, FileFacts } from "#shared/domain/facts.ts";
import { defaultSlotLimits } from "#agent/decide/slot-limits.ts";
import type { GuardView } from "#agent/decide/view.ts";
import { someArchiver, someDatabase, someSlot } from "#test/unit/database-facts.ts";
import { someFacts } from "#test/unit/some-facts.ts";

/** A healthy primary with one streaming standby; a test shows only what differs. */
export function primary(database: Partial<DatabaseFacts> = {}): DatabaseFacts {
  return someDatabase({
    replication: [walsender("srv129")],
    slots: [slot("slot_srv129")],
    archiver: someArchiver(),
    ...database,
  });
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
    readonly restart?: GuardView["restart"];
    readonly files?: FileFacts[];
    readonly ownSlots?: GuardView["facts"]["agent"]["ownSlots"];
  } = {},
): GuardView {
  const some = someFacts();
  return {
    hasStalePid: more.hasStalePid ?? false,
    limits: defaultSlotLimits,
    restart: more.restart ?? "standbys",
    facts: {
      ...some,
      agent: { ...some.agent, ownSlots: more.ownSlots ?? [] },
      database,
      files: more.files ?? [],
    },
  };
}
