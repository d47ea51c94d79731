import * as z from "zod";
import { PoolKind, ProductId } from "#shared/domain/cluster.ts";
import { AbsolutePath, Address, Identifier, Name, Port, SlotName } from "#shared/domain/names.ts";

/**
 * cluster.yaml as people write it: short, everything that the product's table knows may be left out.
 * `resolve.ts` fills in the rest. Messages say what would be right; the place and what was found are added where
 * the file is read.
 */

const port = Port.describe("a port from 1 to 65535");
const nic = z.string().regex(/^[A-Za-z0-9._-]{1,15}$/, "an interface's name, up to 15 characters");

const NodePlaces = {
  /** kingbase-v8r3: the cluster's root folder on this node. */
  root: AbsolutePath.optional(),
  binDirectory: AbsolutePath.optional(),
  dataDirectory: AbsolutePath.optional(),
  configFile: AbsolutePath.optional(),
  hbaFile: AbsolutePath.optional(),
  identFile: AbsolutePath.optional(),
};

const PoolPlaces = {
  port: port.optional(),
  pcpPort: port.optional(),
  configFile: AbsolutePath.optional(),
  haModuleFile: AbsolutePath.optional(),
  socketDirectory: AbsolutePath.optional(),
};

export const NodeEntry = z.strictObject({
  name: Name,
  address: Address,
  /** Does this node run the pool? */
  management: z.boolean().optional(),
  nic: nic.optional(),
  port: port.optional(),
  slot: SlotName.optional(),
  ...NodePlaces,
  /** Number of its row in the pool's configuration. */
  backend: z.int().min(0).max(9_999).optional(),
  pool: z.strictObject(PoolPlaces).optional(),
});
export type NodeEntry = z.infer<typeof NodeEntry>;

export const ClusterEntry = z.strictObject({
  name: Name,
  product: ProductId,
  ...NodePlaces,
  pool: z
    .strictObject({
      kind: PoolKind.optional(),
      ...PoolPlaces,
      /** Address of the pool's leader, without a mask. */
      virtualAddress: Address.optional(),
    })
    .optional(),
  database: z
    .strictObject({
      name: Identifier.optional(),
      port: port.optional(),
      /** Major version, for the default folders. */
      version: z.int().min(9).max(99).optional(),
      replicationUser: Identifier.optional(),
      maintenanceUser: Identifier.optional(),
      /** ADDRESS/PREFIX that follows the primary. */
      virtualAddress: z
        .string()
        .regex(/^[0-9A-Fa-f.:]+\/\d{1,3}$/, "an address with its prefix, e.g. 10.0.0.9/24")
        .optional(),
    })
    .optional(),
  trustAddresses: z.array(Address).optional(),
});
export type ClusterEntry = z.infer<typeof ClusterEntry>;

export const ClusterYaml = z.strictObject({
  cluster: ClusterEntry,
  nodes: z.array(NodeEntry).min(1, "at least one node"),
});
export type ClusterYaml = z.infer<typeof ClusterYaml>;
