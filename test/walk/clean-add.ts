import type { ProductId } from "#shared/domain/cluster.ts";
import { addArguments } from "#test/e2e/support/operations.ts";
import { takeSnapshot, type Snapshot } from "#test/harness/snapshot.ts";
import { likeness } from "#test/matrix/likeness.ts";
import { buildStage, createWalkLab } from "./stage.ts";

const references = new Map<ProductId, Promise<Snapshot>>();

/** What a cluster is like after an add that nothing disturbed: done once for each product, when it is first asked for. */
export function afterCleanAdd(product: ProductId): Promise<Snapshot> {
  const known = references.get(product);
  if (known !== undefined) return known;
  const reference = addWithoutFaults(product);
  references.set(product, reference);
  return reference;
}

/**
 * Without what differs between any two clusters of one kind: the lab's own name, hashes over an operation's id,
 * moments, identities, and processes that a pool starts anew whenever it likes.
 */
export function comparable(snapshot: Snapshot): Snapshot {
  return Object.fromEntries(
    Object.entries(likeness(snapshot)).map(([host, entries]) => [
      host,
      Object.fromEntries(
        Object.entries(entries)
          .filter(([key]) => !/^process (?:pgpool|kingbasecluster)|^mount /.test(key))
          .map(([key, value]) => [key, withoutIdentity(key, value)]),
      ),
    ]),
  );
}

function withoutIdentity(key: string, value: string): string {
  if (/^baseline \S+ \S*hba\S*$/.test(key)) return "accepted";
  if (key.includes("/jobs/")) return value.replace(/, \d+ bytes.*|"startedAt": \d+/g, "");
  return key.includes("/ledger/")
    ? value.replace(/"(?:walBudgetBytes|logSize)":\d+|"identity":\{[^}]*\}/g, "")
    : value;
}

async function addWithoutFaults(product: ProductId): Promise<Snapshot> {
  await using lab = await createWalkLab();
  const { cluster, castellan } = await buildStage(lab, product);
  const consent = product === "kingbase-v8r3" ? ["--accept-not-promotable"] : [];
  await castellan.cli(addArguments(cluster, ...consent));
  return comparable(await takeSnapshot(cluster, castellan));
}
