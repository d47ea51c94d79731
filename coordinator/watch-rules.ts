import { asFailure } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Clock } from "#shared/time.ts";
import type { AgentView, ClusterFiles, LoadedCluster } from "./ports.ts";
import { evaluateRules, rulePrefix } from "./rules/evaluate.ts";
import { ruleFacts, type RuleFacts } from "./rules/facts.ts";
import { gatherBreaches, isSeen, unseenPlaces, type AlertedBreach } from "./rules/gather.ts";
import { clusterView } from "./rules/view.ts";
import type { AlertInput, Store } from "./store/store.ts";

/** Looks whether the rules are kept whenever facts have changed, and makes alerts of what is broken. */
export type RuleWatch = Disposable & {
  factsChanged(node: string): void;
  /** It held the cluster's lease: what it left is judged once all nodes have told of it. */
  operationEnded(cluster: string): void;
};

export type RuleWatchPorts = {
  readonly store: Pick<Store, "alerts" | "raiseAlert" | "resolveAlert" | "leaseHolder">;
  readonly clock: Clock;
  readonly log: Log;
  readonly clusterFiles: Pick<ClusterFiles, "names" | "load">;
  readonly agents: { view(node: string): AgentView | null; observe(node: string): Promise<void> };
};

/** One edit is several deltas, and one change on several hosts: all that comes within this is one look. */
const gatherMs = 50;
/** Declarations are edited by hand, and nobody tells us. */
const backstopMs = 5_000;

export function createRuleWatch(ports: RuleWatchPorts): RuleWatch {
  const { store, clock, log, clusterFiles, agents } = ports;
  const timers = new Map<string, NodeJS.Timeout>();
  const seen = new Map<string, Seen>();
  /** From what each cluster was judged last: the same is not judged again. */
  const judged = new Map<string, string>();
  const busy = new Set<string>();
  /** Said once. */
  const troubles = new Map<string, string>();
  const settling = new Set<string>();
  let isOver = false;

  const lookSoon = (cluster: string): void => {
    if (isOver || timers.has(cluster)) return;
    const look = (): void => {
      timers.delete(cluster);
      try {
        judge(cluster);
        troubles.delete(cluster);
      } catch (error) {
        // A declaration in the middle of an edit, a journal that can't be written now: asked again by the backstop.
        const { message } = asFailure(error);
        if (troubles.get(cluster) === message) return;
        troubles.set(cluster, message);
        log.warn({ err: error, cluster }, `the rules of ${cluster} can't be judged: ${message}`);
      }
    };
    timers.set(cluster, setTimeout(look, gatherMs));
  };

  const judge = (cluster: string): void => {
    if (settling.has(cluster)) return;
    const loaded = clusterFiles.load(cluster);
    const isBusy = store.leaseHolder(cluster) !== null;
    if (!isBusy && busy.delete(cluster)) return settle(cluster);
    if (isBusy) busy.add(cluster);
    const versions = loaded.declaration.nodes.map(({ name }) => seen.get(name)?.version ?? 0);
    const from = JSON.stringify([loaded.hash, isBusy, versions]);
    if (judged.get(cluster) === from) return;
    tell(loaded, isBusy);
    judged.set(cluster, from);
  };

  const tell = ({ declaration }: LoadedCluster, isBusy: boolean): void => {
    const view = clusterView(declaration, (node) => present(agents.view(node)));
    const evaluation = evaluateRules(view);
    const now = clock.now();
    const standing = store
      .alerts({ open: true })
      .filter(({ cause }) => cause.startsWith(rulePrefix(declaration.name)));
    const breaches = gatherBreaches(declaration.name, evaluation.breaches, (cause) =>
      standing
        .filter((alert) => alert.cause === cause)
        .flatMap((alert) => unseenPlaces(view, evaluation, alert)),
    );
    const broken = new Set(breaches.map(({ cause }) => cause));
    for (const alert of standing) {
      if (!broken.has(alert.cause) && isSeen(view, evaluation, alert)) store.resolveAlert(alert.cause, now); // prettier-ignore
    }
    // In the middle of an operation of ours files differ because it is at them: judged is what it leaves.
    if (isBusy) return;
    for (const breach of breaches) {
      const alert = alertOf(breach);
      const known = standing.find(({ cause }) => cause === alert.cause);
      if (known === undefined) store.raiseAlert(alert, now);
      else if (!isSame(known, alert)) {
        store.raiseAlert({ ...alert, isNews: !hasOnlyLess(breach, known) }, now);
      }
    }
  };

  const settle = (cluster: string): void => {
    if (isOver || settling.has(cluster)) return;
    settling.add(cluster);
    // One that is away says nothing, and nothing is said of it.
    const asked = nodesOf(cluster).map((node) => agents.observe(node));
    void Promise.allSettled(asked).then(() => {
      settling.delete(cluster);
      busy.delete(cluster);
      lookSoon(cluster);
    });
  };

  const nodesOf = (cluster: string): readonly string[] => {
    try {
      return clusterFiles.load(cluster).declaration.nodes.map(({ name }) => name);
    } catch {
      return []; // `castellan status` says what is wrong with it
    }
  };

  const clusterNames = (): readonly string[] => {
    try {
      return clusterFiles.names();
    } catch {
      return []; // the folder is not to be read now: the backstop asks again
    }
  };

  const lookAtAll = (): void => {
    const names = new Set(clusterFiles.names());
    for (const name of names) lookSoon(name);
    for (const { cause } of store.alerts({ open: true })) {
      const cluster = /^rule:([^:]+):/.exec(cause)?.[1];
      if (cluster !== undefined && !names.has(cluster)) store.resolveAlert(cause, clock.now());
    }
  };
  const backstop = setInterval(() => {
    try {
      lookAtAll();
    } catch (error) {
      log.debug({ err: error }, "the clusters could not be listed for their rules");
    }
  }, backstopMs);

  return {
    factsChanged: (node) => {
      if (isOver) return;
      const facts = present(agents.view(node));
      if (facts === null) return;
      const { files, ...others } = facts;
      const rest = JSON.stringify(others);
      const before = seen.get(node);
      // Sections that did not change are the same objects.
      if (before?.files === files && before.rest === rest) return;
      seen.set(node, { files, rest, version: (before?.version ?? 0) + 1 });
      for (const cluster of clusterNames()) {
        if (nodesOf(cluster).includes(node)) lookSoon(cluster);
      }
    },
    operationEnded: settle,
    [Symbol.dispose]: () => {
      isOver = true;
      clearInterval(backstop);
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

type Seen = {
  readonly files: RuleFacts["files"];
  readonly rest: string;
  readonly version: number;
};

/** Of an agent that is away, or has not told anything over this connection, nothing is known now. */
function present(view: AgentView | null): RuleFacts | null {
  return view?.factsAreCurrent === true && view.facts !== null ? ruleFacts(view.facts) : null;
}

function alertOf(breach: AlertedBreach): AlertInput {
  const { cause, rule, node, file, line, found, wanted, fix, places } = breach;
  const about = places.length > 1 ? rule.sentence : node;
  const place = file === null ? "" : `\nfile: ${file}${line === null ? "" : `:${line}`}`;
  return {
    cause,
    severity: rule.severity,
    node,
    rule: rule.id,
    file,
    line,
    fix,
    summary: `${about === null ? "" : `${about}: `}${found}`.slice(0, mostSummary),
    detail: `rule: ${rule.sentence} [${rule.id}]\nfound: ${found}\nwanted: ${[wanted + place, ...places].join("\n")}`,
  };
}

const mostSummary = 500;

/** Are some of its places mended, and none new? */
function hasOnlyLess({ places }: AlertedBreach, { detail }: AlertInput): boolean {
  const before = new Set(detail.split("\n"));
  return places.length > 0 && places.every((place) => before.has(place));
}

function isSame(known: AlertInput, alert: AlertInput): boolean {
  return (
    known.severity === alert.severity &&
    known.summary === alert.summary &&
    known.detail === alert.detail &&
    known.fix === alert.fix
  );
}
