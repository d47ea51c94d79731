/** agent.yaml, `guard.slots`: what WAL slots may hold back here, and when that is said or ended. */
export type SlotLimits = {
  /** Of a slot of ours that was made without a budget of its own, e.g. before this node became primary. */
  readonly budgetBytes: number;
  /** Of the WAL's disk, kept free; a tenth of a disk that is small. */
  readonly reserveBytes: number;
  /** A slot that would free less isn't dropped for a disk that is short. */
  readonly worthBytes: number;
  /** How fast a checkpoint writes, at worst: a drop comes so early that one can end. */
  readonly checkpointBytesPerSecond: number;
  readonly checkpointMarginMs: number;
  /** WAL held back for nobody, by whosever slot, is an alert from here on. */
  readonly idleBytes: number;
  /** WAL that waits to be archived is an alert from here on. */
  readonly archiveBacklogBytes: number;
};

const mib = 1024 * 1024;

export const defaultSlotLimits: SlotLimits = {
  budgetBytes: 64 * 1024 * mib,
  reserveBytes: 512 * mib,
  worthBytes: 128 * mib,
  checkpointBytesPerSecond: 64 * mib,
  checkpointMarginMs: 15_000,
  idleBytes: 256 * mib,
  archiveBacklogBytes: 1024 * mib,
};
