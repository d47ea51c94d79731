import * as z from "zod";
import { AbsolutePath, Address, Identifier, Name, Port, SlotName } from "./names.ts";

export const ProductId = z.enum(["kingbase-v8r3", "postgresql"]);
export type ProductId = z.infer<typeof ProductId>;

export const PoolKind = z.enum(["kingbasecluster", "pgpool", "none"]);
export type PoolKind = z.infer<typeof PoolKind>;

/** Where the data node's files are. Every path is absolute and on the node itself. */
export const NodePaths = z.strictObject({
  /** kingbase-v8r3: the cluster root, e.g. /home/kingbase/cluster/ESHA. postgresql: null. */
  root: AbsolutePath.nullable(),
  binDirectory: AbsolutePath,
  dataDirectory: AbsolutePath,
  /** Server configuration, hba and ident files; outside the data directory on Debian. */
  configFile: AbsolutePath,
  hbaFile: AbsolutePath,
  identFile: AbsolutePath,
});
export type NodePaths = z.infer<typeof NodePaths>;

/** Where a management node's pool keeps its files. */
export const PoolPaths = z.strictObject({
  configFile: AbsolutePath,
  /** kingbasecluster's second copy of HAmodule.conf; null for pgpool. */
  haModuleFile: AbsolutePath.nullable(),
  pcpPort: Port,
  port: Port,
  socketDirectory: AbsolutePath,
});
export type PoolPaths = z.infer<typeof PoolPaths>;

export const NodeDeclaration = z.strictObject({
  name: Name,
  address: Address,
  port: Port,
  /** Physical slot that this node streams through, on whichever node is its upstream. */
  slot: SlotName,
  /** Interface that carries `address`, for the virtual addresses; null where there are none. */
  nic: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,15}$/)
    .nullable(),
  paths: NodePaths,
  /** Row number in the pool's configuration; null where there is no pool. Never renumbered. */
  backendId: z.int().nonnegative().nullable(),
  /** Set on management nodes: those that run the pool. */
  pool: PoolPaths.nullable(),
});
export type NodeDeclaration = z.infer<typeof NodeDeclaration>;

/** A cluster as declared in cluster.yaml, with every default filled in. */
export const ClusterDeclaration = z.strictObject({
  name: Name,
  product: ProductId,
  pool: PoolKind,
  database: z.strictObject({
    /** Database that checks connect to: TEST, postgres. */
    name: Identifier,
    /** Role in primary_conninfo: SYSTEM, repl. */
    replicationUser: Identifier,
    /** Role that agents use for their own SQL: SUPERMANAGER_V8ADMIN or SYSTEM, postgres. */
    maintenanceUser: Identifier,
  }),
  virtualAddresses: z.strictObject({
    /** Address/mask on the primary; null where the site has none. */
    database: z.string().nullable(),
    /** Address on the pool's leader. */
    pool: z.string().nullable(),
  }),
  trustAddresses: z.array(Address),
  nodes: z.array(NodeDeclaration).min(1),
});
export type ClusterDeclaration = z.infer<typeof ClusterDeclaration>;
