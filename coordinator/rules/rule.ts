import type { AlertRecord } from "../store/store.ts";
import type { ClusterView, NodeView, ReadFile } from "./view.ts";

/** What has to be there for a rule to mean anything: the vendor's own machinery beside the server, a pool. */
type RuleNeed = "vendor" | "pool";

/** A row of the table: what has to agree between the files, servers and hosts of a cluster. */
export type Rule = {
  readonly id: string;
  /** A sentence that is true while the rule is kept. */
  readonly sentence: string;
  readonly severity: AlertRecord["severity"];
  readonly needs: readonly RuleNeed[];
  /** However many places break it: they are mended as one piece of work, and stand for years where nobody does it. */
  readonly isOneAlert?: true;
  /** What would be right, where a finding doesn't say it closer. */
  readonly wanted: string;
  /** What to do, where a finding doesn't say it closer. */
  readonly fix: string;
  /** Only what could be judged: what nobody can see now (an agent away, a file that can't be read) is left out. */
  readonly check: (view: ClusterView) => readonly Judgement[];
};

export type Judgement = {
  /** Null for the cluster as a whole. */
  readonly node: string | null;
  /** The part that was judged, all keys that begin with it; null for everything of this rule there. */
  readonly part: string | null;
  readonly findings: readonly Finding[];
};

export type Finding = {
  /** Tells breaches of one rule on one node apart; null where there can be only one. */
  readonly key?: string;
  readonly file?: string;
  readonly line?: number;
  readonly found: string;
  readonly wanted?: string;
  readonly fix?: string;
};

/** Every node whose agent is there; null from `judge` says that it can't be known now. */
export function perNode(
  judge: (node: NodeView, view: ClusterView) => readonly Finding[] | null,
  part: string | null = null,
): Rule["check"] {
  return (view) =>
    view.nodes.flatMap((node): readonly Judgement[] => {
      const findings = node.facts === null ? null : judge(node, view);
      return findings === null ? [] : [{ node: node.name, part, findings }];
    });
}

/** Every file that `filesOf` names and that can be read; keys and places are completed with the file's own. */
export function perFile<F extends ReadFile>(
  filesOf: (node: NodeView, view: ClusterView) => readonly (F | null)[],
  judge: (file: F, node: NodeView, view: ClusterView) => readonly Finding[] | null,
): Rule["check"] {
  return (view) =>
    view.nodes.flatMap((node) =>
      filesOf(node, view).flatMap((file): readonly Judgement[] => {
        const findings = file === null ? null : judge(file, node, view);
        if (file === null || findings === null) return [];
        return [
          { node: node.name, part: file.short, findings: findings.map((f) => inFile(file, f)) },
        ];
      }),
    );
}

function inFile(file: ReadFile, finding: Finding): Finding {
  const key = finding.key === undefined ? file.short : `${file.short} ${finding.key}`;
  return { file: file.path, ...finding, key };
}

/** The cluster as a whole; null says that it can't be known now. */
export function forCluster(judge: (view: ClusterView) => readonly Finding[] | null): Rule["check"] {
  return (view) => {
    const findings = judge(view);
    return findings === null ? [] : [{ node: null, part: null, findings }];
  };
}

/** One rule that looks at several places. */
export function together(...checks: readonly Rule["check"][]): Rule["check"] {
  return (view) => checks.flatMap((check) => check(view));
}
