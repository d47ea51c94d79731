/**
 * Keys of the ledger: what we made on this host. Files and directories are told apart by path, edits of shared
 * files by path and operation, because two operations may each have lines of theirs in one file.
 */
export const ledgerKey = {
  slot: (name: string): string => `slot:${name}`,
  hba: (file: string, operationId: string): string => `hba:${file}#${operationId}`,
  /** A directory with all below it, by device, inode and birth. */
  tree: (path: string): string => `tree:${path}`,
  /** Under its final name, the same directory. */
  placed: (dataDirectory: string): string => `placed:${dataDirectory}`,
  /** How far a copy is. */
  backup: (stagingDirectory: string): string => `backup:${stagingDirectory}`,
  /** One directory: taken back only while it is empty. */
  directory: (path: string): string => `directory:${path}`,
  /** A whole file outside the data directory. */
  file: (path: string): string => `file:${path}`,
  nodeFiles: (stagingDirectory: string): string => `node-files:${stagingDirectory}`,
  server: (dataDirectory: string): string => `server:${dataDirectory}`,
  setting: (name: string): string => `setting:${name}`,
  /** A watched file that was put back to a former version. */
  restored: (path: string): string => `restored:${path}`,
  /** How far a rejoin is, and what it has to put back. */
  rejoin: (dataDirectory: string): string => `rejoin:${dataDirectory}`,
  /** What it was before an operation set it. */
  guardMode: "guard-mode",
  /** The vendor's lines, commented or given back. */
  cronLines: "cron-lines",
  /** A file that became another with a node's role. */
  edited: (stepId: string, path: string): string => `edited:${stepId}:${path}`,
  /** A slot that was made anew for a rebuild, and what there was before. */
  renewed: (slot: string): string => `renewed:${slot}`,
  /** A standby that was stopped for a rebuild. */
  stopped: "stopped",
  /** A primary that a drill made fail. */
  failed: "failed",
  /** The table that a drill writes to, and what its client felt. */
  load: "load",
  /** A data directory that is set aside, and what was known of it. */
  swapped: (dataDirectory: string): string => `swapped:${dataDirectory}`,
  /** A shared file that another node was taken out of. */
  withoutNode: (path: string): string => `without-node:${path}`,
  /** A slot that went with its node. */
  dropped: (slot: string): string => `dropped:${slot}`,
  /** A data directory that is being deleted. */
  deleted: (dataDirectory: string): string => `deleted:${dataDirectory}`,
  /** A primary gave its role up. */
  demoted: "demoted",
  /** A standby was told to lead: it may do so at any moment. */
  promoted: "promoted",
  /** The pool was stopped, or started. */
  pool: "pool",
  /** The database was stopped with its whole cluster. */
  stoppedOnPurpose: "stopped-on-purpose",
  /** A stopped primary was started. */
  startedPrimary: "started-primary",
  /** A row of the pool was detached. */
  detached: (id: number): string => `detached:${id}`,
  /** The server that was stopped to be started again. */
  restarted: "restarted",
  regime: (dataDirectory: string): string => `regime:${dataDirectory}`,
} as const;
