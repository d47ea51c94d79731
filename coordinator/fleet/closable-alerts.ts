import type { AlertRecord } from "../store/store.ts";

/**
 * Alerts that only a person can know to be over. All others follow what agents see: closed by hand they would hide
 * what is still so, as nobody tells it a second time.
 */
const closable: readonly { readonly part: RegExp; readonly closesWhen: string }[] = [
  { part: /^not-promotable:/, closesWhen: "the vendor's scripts can promote the node" },
  { part: /^failover:/, closesWhen: "the cluster has a primary again" },
  {
    part: /^node:[^:]+:slot-dropped:/,
    closesWhen: "the node streams again, is added anew, or was given up",
  },
  {
    part: /^node:[^:]+:slot-replaced:/,
    closesWhen: "the slot may stay as it is, without a budget",
  },
  {
    part: /^node:[^:]+:unknown-epoch$/,
    closesWhen: "no other coordinator runs, and what was held is decided",
  },
  {
    part: /^node:[^:]+:unknown-operations$/,
    closesWhen: "the node that it was for is declared, or its slots are dropped",
  },
  {
    part: /^node:[^:]+:claimed-twice$/,
    closesWhen: "one host alone runs an agent of this name",
  },
  {
    part: /^node:[^:]+:too-many-alerts$/,
    closesWhen: "the node's other alerts are over",
  },
];

export function isClosable({ cause }: Pick<AlertRecord, "cause">): boolean {
  return closable.some(({ part }) => part.test(cause));
}

/** For `alert show`: what there is to do with it. */
export function closingHint({ cause, id }: Pick<AlertRecord, "cause" | "id">): string | null {
  const found = closable.find(({ part }) => part.test(cause));
  return found === undefined ? null : `when ${found.closesWhen}: castellan alert close ${id}`;
}
