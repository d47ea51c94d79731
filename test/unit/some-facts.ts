import type { NodeFacts } from "#shared/domain/facts.ts";
import { someDatabase } from "./database-facts.ts";

/** Facts of an ordinary primary without a pool; a test changes what it is about. */
export function someFacts(change: Partial<NodeFacts> = {}): NodeFacts {
  return {
    agent: {
      version: "0.1.0",
      startedAt: 1,
      product: "postgresql",
      verbs: [],
      poolKind: "none",
      root: null,
      binDirectory: "/usr/lib/postgresql/15/bin",
      dataDirectory: "/data",
      databasePort: 5432,
      startMode: "ctl",
      ownSlots: [],
      droppedSlots: [],
    },
    host: {
      hostname: "srv127",
      bootId: "boot",
      clockMs: Date.now(),
      kernel: "6.1",
      architecture: "x64",
      glibc: "2.36",
      user: { name: "postgres", uid: 100, gid: 100 },
      addresses: [{ nic: "eth0", address: "10.0.0.1", prefix: 24, family: "ipv4" }],
      memoryBytes: 1,
      limits: { openFiles: null, processes: null },
      filesystems: [],
      rootHelperVerbs: [],
      secrets: [],
    },
    database: someDatabase(),
    pool: null,
    files: [],
    guard: { mode: "observe", walDisk: null, findings: [], checks: [] },
    ...change,
  };
}
