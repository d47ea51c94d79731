import * as z from "zod";

/** Name of a cluster or node: also used in file names, slots and application_name. */
export const Name = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, "a letter, then letters, digits, _ or -, up to 63");

/** PostgreSQL docs: slot names may contain lower-case letters, digits and underscores only. */
export const SlotName = z.string().regex(/^[a-z0-9_]{1,63}$/, "lower-case letters, digits and _");

/** A slot for this node as the products' installers name it. */
export function slotNameFor(node: string): string {
  return `slot_${node.toLowerCase().replaceAll("-", "_")}`;
}

export const Port = z.int().min(1).max(65_535);
export const AbsolutePath = z
  .string()
  .regex(/^\/[^\0\n]*$/, "an absolute path")
  .refine((p) => !p.split("/").includes(".."), "no .. in a path");
/** IPv4/IPv6 address or host name; never starts with a dash, so it can't be taken for an option. */
export const Address = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}$/, "a host or address");
/** A database or role name as the server knows it. */
export const Identifier = z.string().regex(/^[^\0\n]{1,63}$/);
export const Lsn = z.string().regex(/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/);
export const OperationId = z.string().regex(/^op-[a-z0-9]{8,20}$/);

/** In a data directory that a base backup of ours made, until the node is a full member: the guard never starts it alone. */
export const incompleteMarker = "castellan.incomplete";
/** File whose appearance promotes a standby before PostgreSQL 12 (`trigger_file`), in its data directory. */
export const promoteTrigger = "castellan.promote";

/** Where a base backup is copied to before it takes its place: a sibling, so that a rename will do. */
export function stagingDirectoryFor(dataDirectory: string): string {
  return `${dataDirectory.replace(/\/+$/, "")}.castellan-copy`;
}

/** Where a data directory is kept while its successor is not proved yet. */
export function oldDirectoryFor(dataDirectory: string): string {
  return `${dataDirectory.replace(/\/+$/, "")}.castellan-old`;
}

/** Beside a copy under way (pg_basebackup wants an empty directory): which operation makes it. */
export function copyMarkerFor(stagingDirectory: string): string {
  return `${stagingDirectory}.castellan.json`;
}
