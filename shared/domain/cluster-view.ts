import * as z from "zod";
import { PoolKind } from "./cluster.ts";
import { PoolRow } from "./facts.ts";
import { Address, Identifier, Lsn, Name, Port, SlotName } from "./names.ts";

/**
 * What an agent knows of its cluster beyond its own host: what was declared (`ClusterView`), what others were seen to be
 * (`PeerSight`), and what each pool says (`PoolSight`).
 */

export const ClusterView = z.strictObject({
  cluster: Name,
  /** When it was made, on the coordinator's clock. */
  at: z.number(),
  poolKind: PoolKind,
  /** Logins for a look at the others: the maintenance user with this host's own secret `database`. */
  database: z.strictObject({
    name: Identifier,
    maintenanceUser: Identifier,
    replicationUser: Identifier,
  }),
  nodes: z
    .array(
      z.strictObject({
        name: Name,
        address: Address,
        port: Port,
        slot: SlotName,
        /** Row number in the pool; null where there is no pool. */
        backendId: z.int().nonnegative().nullable(),
        nic: z.string().nullable(),
        /** Of management nodes. */
        pool: z.strictObject({ port: Port, pcpPort: Port }).nullable(),
      }),
    )
    .max(64),
  /** `192.168.4.200/24`; null where the site has none. */
  virtualAddresses: z.strictObject({
    database: z.string().nullable(),
    pool: z.string().nullable(),
  }),
  trustAddresses: z.array(Address),
});
export type ClusterView = z.infer<typeof ClusterView>;

/** Another node's database, as it was seen. */
export const PeerSight = z.strictObject({
  node: Name,
  /** On the looking host's clock; of what came from the coordinator: when it came. */
  at: z.number(),
  /** coordinator: that node's own agent says so. own-look: SQL or TCP from this host. */
  from: z.enum(["coordinator", "own-look"]),
  /**
   * refused: the host answers and no database does (its agent: it is stopped). silent: nothing answers.
   * login-failed: a server is there and lets us not in, or this host could not ask.
   */
  database: z.enum(["primary", "standby", "refused", "silent", "login-failed"]),
  systemIdentifier: z.string().nullable(),
  timeline: z.int().nullable(),
  /** Insert position of a primary, greatest of received and replayed of a standby. */
  position: Lsn.nullable(),
  /** Of a standby: the end of the last whole record; `position` may lie within the next one. Left out by agents of before. */
  replayed: Lsn.nullable().optional(),
  /** Of a primary: who streams from it. */
  streaming: z.array(
    z.strictObject({
      applicationName: z.string(),
      state: z.string(),
      syncState: z.string(),
      flushLsn: Lsn.nullable(),
    }),
  ),
  synchronousStandbyNames: z.string().nullable(),
  /** Of a standby: the host that it streams from; null while it streams from none. */
  upstream: z.string().nullable(),
  /** Why it was not let in, or what answered instead; never a secret. */
  problem: z.string().max(500).nullable(),
});
export type PeerSight = z.infer<typeof PeerSight>;

/** `show pool_nodes` of the pool on a node, this one too. */
export const PoolSight = z.strictObject({
  node: Name,
  at: z.number(),
  status: z.enum(["answers", "refused", "silent", "login-failed"]),
  rows: z.array(PoolRow),
  problem: z.string().max(500).nullable(),
});
export type PoolSight = z.infer<typeof PoolSight>;
