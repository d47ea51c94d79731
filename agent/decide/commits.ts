import { haArray, haText, parseHaModule } from "#shared/config-files/ha-module.ts";
import type { PeerSight } from "#shared/domain/cluster-view.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import {
  askingFor,
  hasSyncName,
  parseSyncList,
  requiredStandbys,
  syncListOf,
} from "#shared/domain/sync-list.ts";
import { oncePer } from "./once-per.ts";
import type { GuardView } from "./view.ts";
import { onlyPrimary } from "./whom-to-follow.ts";

/** What commits on a primary wait for, and whether it is there. */
export type Commits = Pick<
  PeerSight,
  "node" | "timeline" | "position" | "streaming" | "systemIdentifier"
> & {
  /** synchronous_standby_names in force. */
  readonly names: string;
};

/** Of this host's database, where it is a running primary. */
export function ownCommits({ facts: { database }, node }: GuardView): Commits | null {
  if (database.status !== "running" || database.role !== "primary") return null;
  const { timeline, position, replication: streaming, systemIdentifier, settings } = database;
  const names = settings["synchronous_standby_names"] ?? "";
  return { node, timeline, position, streaming, systemIdentifier, names };
}

/** Of the one primary that is seen, here or elsewhere; null where there is none, or there are two. */
export function clusterCommits(view: GuardView): Commits | null {
  const own = ownCommits(view);
  if (own !== null) {
    return view.peers.some(({ database }) => database === "primary") ? null : own;
  }
  const seen = onlyPrimary(view);
  const names = seen?.synchronousStandbyNames ?? null;
  return seen === null || names === null ? null : { ...seen, names };
}

/** Only what streams counts for a commit; who catches up does not yet (PostgreSQL docs). */
export function streamsFrom(primary: Pick<Commits, "streaming">, name: string): boolean {
  return stateOf(primary, name) === "streaming";
}

export function stateOf({ streaming }: Pick<Commits, "streaming">, name: string): string | null {
  const states = streaming.filter((row) => row.applicationName === name).map(({ state }) => state);
  return states.find((state) => state === "streaming") ?? states[0] ?? null;
}

/** How many of those that a commit may wait for stream, and lack no more than that. */
export function satisfying(
  { streaming, position }: Pick<Commits, "streaming" | "position">,
  names: string,
  withinBytes = Number.POSITIVE_INFINITY,
): number {
  const list = parseSyncList(names);
  return streaming.filter(({ state, applicationName, flushLsn }) => {
    if (state !== "streaming" || flushLsn === null || !hasSyncName(list, applicationName)) {
      return false;
    }
    return (
      withinBytes === Number.POSITIVE_INFINITY ||
      (lsnDistance(flushLsn, position) ?? withinBytes + 1) <= withinBytes
    );
  }).length;
}

/** Fewer standbys stream than a commit waits for. */
export function commitsWait({ names, ...primary }: Commits): boolean {
  return satisfying(primary, names) < (requiredStandbys(names) ?? 0);
}

/** The list that was in force before the guard made it ask for fewer; null where somebody else wrote what is in force. */
export function reducedFrom(before: string | null, names: string): string | null {
  if (before === null) return null;
  const counts = Array.from({ length: requiredStandbys(before) ?? 0 }, (_, count) => count);
  return counts.some((count) => askingFor(before, count) === names) ? before : null;
}

/** What the product's own file declares (SYNC_FLAG, ALL_NODE_NAME); null without one, or where its copies differ. */
export function declaredList({
  facts: { files },
}: Pick<GuardView, "facts">): { readonly names: string } | null {
  return declaredIn(files);
}

const declaredIn = oncePer((files: readonly FileFacts[]): { readonly names: string } | null => {
  const lists = files.flatMap(({ format, maskedText }) => {
    if (format !== "ha-module" || maskedText === null) return [];
    const module = parseHaModule(maskedText);
    const [flag, names] = [haText(module, "SYNC_FLAG"), haArray(module, "ALL_NODE_NAME") ?? []];
    if (flag === null) return [];
    return [flag === "1" && names.length > 0 ? syncListOf(1, names) : ""];
  });
  const [names] = lists;
  return names === undefined || lists.some((other) => other !== names) ? null : { names };
});

/**
 * The list to come back to, asking for as many as stream and are close enough; null where what is in force is right, or
 * is a person's.
 */
export function listAgain(view: GuardView): string | null {
  const primary = ownCommits(view);
  if (primary === null) return null;
  const declared = declaredList(view);
  if (declared?.names === "") return null;
  const { names } = primary;
  const wanted =
    reducedFrom(view.marks.synchronousBefore, names) ?? (names === "" ? declared?.names : null);
  if (wanted == null) return null;
  const close = satisfying(primary, wanted, view.policy.attachWithinBytes);
  const again = askingFor(wanted, Math.min(close, requiredStandbys(wanted) ?? 0));
  return (requiredStandbys(again) ?? 0) > (requiredStandbys(names) ?? 0) ? again : null;
}
