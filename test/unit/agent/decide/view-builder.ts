import type { DatabaseFacts, FileFacts, PoolFacts } from "#shared/domain/facts.ts";
import { defaultSlotLimits } from "#agent/decide/slot-limits.ts";
import { defaultPolicy, type GuardPolicy } from "#agent/decide/policy.ts";
import { noMarks, type GuardView } from "#agent/decide/view.ts";
import type { ClusterView, PeerSight } from "#shared/domain/cluster-view.ts";
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

/** A view of a host that knows nothing of its cluster; a test shows only what differs. */
export function view(
  database: DatabaseFacts,
  {
    policy,
    files,
    ownSlots,
    pool,
    addresses,
    rootHelperVerbs = [],
    ...more
  }: Partial<Omit<GuardView, "facts" | "policy">> & {
    readonly policy?: Partial<GuardPolicy>;
    readonly files?: FileFacts[];
    readonly ownSlots?: GuardView["facts"]["agent"]["ownSlots"];
    readonly pool?: PoolFacts | null;
    readonly addresses?: GuardView["facts"]["host"]["addresses"];
    readonly rootHelperVerbs?: string[];
  } = {},
): GuardView {
  const some = someFacts();
  return {
    node: "srv127",
    hasStalePid: false,
    hasDeadPool: false,
    messageAgeMs: null,
    limits: defaultSlotLimits,
    policy: { ...defaultPolicy, ...policy },
    cluster: null,
    peers: [],
    reported: [],
    pools: [],
    checks: [],
    unanswered: null,
    marks: noMarks,
    coordinatorConnected: true,
    coordinatorIsVoter: true,
    withoutMajorityMs: 0,
    trustAnswers: null,
    elapsedMs: 0,
    vendorAtWork: null,
    isToAct: false,
    ...more,
    facts: {
      ...some,
      agent: { ...some.agent, ownSlots: ownSlots ?? [] },
      host: { ...some.host, addresses: addresses ?? some.host.addresses, rootHelperVerbs },
      database,
      pool: pool === undefined ? some.pool : pool,
      files: files ?? [],
    },
  };
}

/** srv127, srv129 and srv159 as they are declared; the first two run pools. */
export function threeNodes(more: Partial<ClusterView> = {}): ClusterView {
  return {
    cluster: "ESHA",
    at: 1,
    poolKind: "pgpool",
    database: { name: "postgres", maintenanceUser: "postgres", replicationUser: "repl" },
    nodes: ["127", "129", "159"].map((id, index) => ({
      name: `srv${id}`,
      address: `192.168.4.${id}`,
      port: 54321,
      slot: `slot_srv${id}`,
      backendId: index,
      nic: "eth0",
      pool: index < 2 ? { port: 9999, pcpPort: 9898 } : null,
    })),
    virtualAddresses: { database: "192.168.4.200/24", pool: "192.168.4.201/24" },
    trustAddresses: ["192.168.4.1"],
    ...more,
  };
}

/** A standby that streams from srv127, as this host sees it. */
export function peer(node: string, more: Partial<PeerSight> = {}): PeerSight {
  return {
    node,
    at: 1_000_000,
    from: "own-look",
    database: "standby",
    systemIdentifier: "7412000000000000000",
    timeline: 1,
    position: "0/5000000",
    streaming: [],
    synchronousStandbyNames: "",
    upstream: "192.168.4.127",
    problem: null,
    ...more,
  };
}
