import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Bed } from "./bed.ts";
import type { Product, Recording, Strike } from "./strike.ts";

/** An operation that is struck: what every run of the matrix does, and where. */
export type Course = {
  readonly operation:
    | "add-node"
    | "revert-file"
    | "switchover"
    | "guard-takeover"
    | "rebuild-node"
    | "cluster-restart"
    | "rejoin-node"
    | "remove-node";
  /** The one that is struck in full; PostgreSQL where none is named. */
  readonly mainProduct?: Product;
  readonly hasPools: boolean;
  /** Commits wait for the standby on both products, not on PostgreSQL alone. */
  readonly isSynchronous?: true;
  /** The vendor's checks are in charge, where the product has any. */
  readonly cronActive?: true;
  /** What is there before the operation is asked for, on a bed that is as after the installation. */
  prepare(bed: Bed): Promise<void>;
  /** @throws what the coordinator refuses, or that it went away */
  start(bed: Bed): Promise<OperationRecord>;
  /** The last instant at which it can be aborted: by then everything is made. */
  readonly last: { readonly process: string; readonly point: string };
  /** Aborts the operation whose process has stopped itself at that instant, and lets that go on. */
  abortAtLast(bed: Bed, id: string): Promise<void>;
  choose(recording: Recording): readonly Strike[];
  /** A host has its power again: what its init system would start, and a look at it. */
  booted(bed: Bed, host: string): Promise<void>;
  /** What its end leaves that a snapshot doesn't show. */
  look(bed: Bed): Promise<Readonly<Record<string, string>>>;
  /** An abort may find that it is past its return. */
  readonly goesForward?: true;
  /** Of a rolled back one the pools may keep the row that they have loaded. */
  readonly mayLeaveRow: boolean;
};
