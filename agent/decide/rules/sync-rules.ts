import { askingFor, parseSyncList, requiredStandbys } from "#shared/domain/sync-list.ts";
import { commitsWait, listAgain, ownCommits, reducedFrom, satisfying, stateOf, type Commits } from "../commits.ts"; // prettier-ignore
import { nodesThatLeft, whyNotWithout } from "../not-promotable.ts";
import { streamingStandbys, type GuardView } from "../view.ts";
import type { Rule } from "./rule.ts";

/** Whether commits wait for a standby, and whether there is one. */
export const syncRules: readonly Rule[] = [
  {
    id: "synchronous-without-standby",
    because: "commits wait for standbys that are gone",
    severity: "critical",
    looks: 3,
    class: "sync",
    when: (view) => {
      const primary = ownCommits(view);
      if (primary === null || !commitsWait(primary)) return null;
      const why = whyNotWithout(view, primary);
      return `commits wait: ${listText(primary)}${why === null ? "" : `; they go on waiting: ${why}`}`;
    },
    steps: (view) => {
      const primary = ownCommits(view);
      if (primary === null) return [];
      const names = askingFor(primary.names, satisfying(primary, primary.names));
      return [{ do: "synchronous", names, notPromotable: [...nodesThatLeft(view, primary)] }];
    },
    witness: (view) => {
      const primary = ownCommits(view);
      if (primary === null || whyNotWithout(view, primary) !== null) return null;
      return `nobody promotes ${nodesThatLeft(view, primary).join(", ")}`;
    },
    next: "bring a standby back, or the pool that can't be asked; where you know that their hosts are dead, as superuser on this node: ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf() (KingbaseES: sys_reload_conf()). Until then a commit that waits is not lost, and not acknowledged",
  },
  {
    id: "synchronous-again",
    because: "a standby is back that commits can wait for",
    severity: "warning",
    looks: 2,
    class: "sync",
    when: (view) => {
      const primary = ownCommits(view);
      const again = listAgain(view);
      return primary === null || again === null ? null : `${listText(primary)}; it was, or is to be, '${again}'`; // prettier-ignore
    },
    steps: (view) => {
      const names = listAgain(view);
      return names === null ? [] : [{ do: "synchronous", names, notPromotable: [] }];
    },
    givesWay: true,
    nearly: (view) => {
      const primary = ownCommits(view);
      const before = reducedFrom(view.marks.synchronousBefore, primary?.names ?? "");
      if (primary === null || before === null) return null;
      return { evidence: listText(primary), missing: `a standby of '${before}' that streams and is close` }; // prettier-ignore
    },
    next: "castellan why says what it waits for",
  },
  {
    id: "listed-standby-missing",
    because: "one more failure, and commits wait or are on one host only",
    severity: "warning",
    looks: 3,
    class: "sync",
    when: (view) => {
      const primary = ownCommits(view);
      if (primary === null || commitsWait(primary) || streamingStandbys(view).length === 0)
        return null;
      const missing = listedNodes(view, primary).filter((name) => stateOf(primary, name) === null);
      return missing.length === 0 ? null : `${missing.join(", ")}: no stream; ${listText(primary)}`;
    },
    next: "castellan status: why does it not stream?",
  },
  {
    id: "primary-without-standbys",
    because: "a primary without a streaming standby has no redundancy",
    severity: "warning",
    looks: 3,
    class: "sync",
    when: ({ facts: { database }, facts }, memory) => {
      if (database.status !== "running" || database.role !== "primary") return null;
      const expected = database.slots
        .filter((slot) => slot.type === "physical")
        .map((slot) => slot.name);
      const isExpected =
        expected.length > 0 || memory.hadStandby || (facts.pool?.rows.length ?? 0) > 1;
      if (!isExpected || streamingStandbys({ facts }).length > 0) return null;
      return expected.length === 0
        ? "nobody streams from here"
        : `nobody streams from here, though there are slots: ${expected.join(", ")}`;
    },
    nearly: ({ facts: { database }, facts }) =>
      database.status === "running" &&
      database.role === "primary" &&
      streamingStandbys({ facts }).length === 0
        ? {
            evidence: "nobody streams from here",
            missing: "a slot, a pool row or an earlier standby that says that one is expected",
          }
        : null,
    next: "castellan status: why does no standby stream? Commits are not held back by this rule",
  },
];

/** Who is to stream: the names of the list, of one that was reduced the former's; without a list every declared node. */
function listedNodes(view: GuardView, { names, node }: Commits): readonly string[] {
  const list = parseSyncList(reducedFrom(view.marks.synchronousBefore, names) ?? names);
  const listed =
    list.kind === "list" ? list.names : (view.cluster?.nodes ?? []).map(({ name }) => name);
  return listed.filter((name) => name.toLowerCase() !== node.toLowerCase());
}

function listText(primary: Commits): string {
  const { names } = primary;
  const required = requiredStandbys(names) ?? 0;
  return `synchronous_standby_names is '${names}', ${satisfying(primary, names)} of ${required} stream`;
}
