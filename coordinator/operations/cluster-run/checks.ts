import type { CommandKind } from "#shared/domain/commands.ts";
import type { KnownNode } from "../add-node/situation.ts";
import { runChecks, type Check, type Wrong } from "../checks.ts";
import type { CheckResult } from "../plan.ts";
import { managersOf } from "../switchover/situation.ts";
import { lastPrimary } from "./last-primary.ts";
import {
  isPresent,
  isRunning,
  isStoppedStandby,
  namesOf,
  type ClusterSituation,
} from "./situation.ts";

/** @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkStop(situation: ClusterSituation): readonly CheckResult[] {
  return runChecks([onePrimary, ...common, poolsSeen, poolVerbs, followers], situation);
}

/** @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkStart(situation: ClusterSituation): readonly CheckResult[] {
  return runChecks([known, ...common, poolVerbs, standbys], situation);
}

/** @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkRestart(situation: ClusterSituation): readonly CheckResult[] {
  const checks = [onePrimary, somePrimary, ...common, poolsSeen, poolVerbs, followers];
  return runChecks(checks, situation);
}

const verbs: readonly CommandKind[] = ["read-control", "stop-database", "start-database", "start-primary", "stop-pool", "start-pool", "take-address"]; // prettier-ignore

const onePrimary: Check<ClusterSituation> = {
  id: "one-primary",
  title: "No two nodes are primaries",
  goesFirst: true,
  wrong: ({ primaries }) =>
    primaries.length < 2
      ? []
      : [{ node: null, found: `${namesOf(primaries)} are primaries, all of them`, fix: "Clients may be writing to both. castellan status; decide which one stays, and stop the other." }], // prettier-ignore
};

const somePrimary: Check<ClusterSituation> = {
  id: "primary-runs",
  title: "A primary runs",
  wrong: ({ primaries, declaration }) =>
    primaries.length > 0
      ? []
      : [{ node: null, found: "no node that can be seen is a primary", fix: `castellan cluster start ${declaration.name}` }], // prettier-ignore
};

const known: Check<ClusterSituation> = {
  id: "last-primary",
  title: "It is proven which node is the primary",
  goesFirst: true,
  wrong: (situation) => {
    const last = lastPrimary(situation);
    switch (last.is) {
      case "running":
      case "proven":
        return [];
      case "disputed":
        return [{ node: null, found: last.because, fix: last.fix }];
      case "missing": {
        // Standbys do no harm, and one of them may have to take its place.
        const some = situation.nodes.some((node) => isRunning(node) || isStoppedStandby(node, situation)); // prettier-ignore
        const wrong = { node: null, found: last.because, fix: last.fix };
        return [some ? { ...wrong, isWarning: true } : wrong];
      }
    }
  },
};

const common: readonly Check<ClusterSituation>[] = [
  {
    id: "agents",
    title: "The agent of every node is connected, and admits what is asked of it",
    wrong: ({ nodes }) =>
      nodes.flatMap((node): readonly Wrong[] => {
        const { name } = node.declared;
        if (!isPresent(node)) {
          return [{ node: name, found: `the agent of ${name} is away`, fix: `What runs or stands there is left as it is: start castellan-agent on ${name}, then type the command again.`, isWarning: true }]; // prettier-ignore
        }
        const missing = verbs.filter((verb) => node.facts?.agent.verbs.includes(verb) !== true);
        if (missing.length === 0) return [];
        return [{ node: name, found: `${name} does not admit ${missing.join(", ")}`, fix: `On ${name}: add ${missing.map((verb) => `"${verb}"`).join(", ")} to allow.verbs in agent.yaml, and restart castellan-agent.` }]; // prettier-ignore
      }),
  },
  {
    id: "guard-in-charge",
    title: "The vendor's checks are not in charge",
    wrong: ({ nodes, declaration }) =>
      nodes.flatMap(({ declared, facts }): readonly Wrong[] => {
        const at = facts?.guard.vendorAtWork ?? null;
        if (at === null) return [];
        return [{ node: declared.name, found: `${declared.name}: ${at}`, fix: `castellan guard takeover ${declaration.name}: the vendor's check would start, stop and rewind nodes in the middle of it.` }]; // prettier-ignore
      }),
  },
];

const poolsSeen: Check<ClusterSituation> = {
  id: "pools-seen",
  title: "Every pool can be stopped first",
  wrong: (situation) =>
    managersOf(situation)
      .filter((node) => !isPresent(node))
      .map(({ declared }) => ({ node: declared.name, found: `the agent of ${declared.name} is away, and its pool may run`, fix: "It would fail over when the primary stops: start castellan-agent there." })), // prettier-ignore
};

export const poolVerbs: Check<ClusterSituation> = {
  id: "pool-helper",
  title: "The root helpers stop and start the pools",
  wrong: (situation) =>
    managersOf(situation).flatMap((node): readonly Wrong[] => {
      const offered = node.facts?.host.rootHelperVerbs ?? [];
      if (!isPresent(node) || ["pool-start", "pool-stop", "pool-status"].every((verb) => offered.includes(verb))) return []; // prettier-ignore
      const { name } = node.declared;
      return [{ node: name, found: `the root helper of ${name} can't stop and start its pool`, fix: `On ${name}, as root, while the pool runs as it should: castellan-root install with --start-pool (docs/root-helper.md).` }]; // prettier-ignore
    }),
};

const followers: Check<ClusterSituation> = {
  id: "followers",
  title: "Every standby streams from the primary",
  wrong: (situation) =>
    situation.nodes
      .filter((node) => isRunning(node) && !isFollower(node, situation))
      .filter((node) => !situation.primaries.includes(node))
      .map(({ declared: { name } }) => ({ node: name, found: `${name} does not stream from the primary`, fix: "It stops where it is, without the primary's last rows: castellan why.", isWarning: true })), // prettier-ignore
};

const standbys: Check<ClusterSituation> = {
  id: "standbys",
  title: "Every other stopped node is a standby",
  wrong: (situation) => {
    const last = lastPrimary(situation);
    const leader = last.is === "running" || last.is === "proven" ? last.node : null;
    return situation.nodes
      .filter((node) => isPresent(node) && node !== leader && !isRunning(node))
      .filter((node) => !isStoppedStandby(node, situation))
      .map(({ declared: { name }, facts }) => ({ node: name, found: `${name} is no standby that could be started (database ${facts?.database.status ?? "unknown"})`, fix: `It is left as it is: castellan why ${name}.`, isWarning: true })); // prettier-ignore
  },
};

/** Streams from the primary itself, so that it gets the last record. */
export function isFollower({ declared }: KnownNode, { primaries }: ClusterSituation): boolean {
  const rows = primaries[0]?.facts?.database.replication ?? [];
  return rows.some((row) => row.applicationName === declared.name && row.state === "streaming");
}
