import { callsOurExecutor } from "#shared/config-files/pool-settings.ts";
import type { CommandKind } from "#shared/domain/commands.ts";
import type { Check, Wrong } from "../checks.ts";
import { rowOf } from "../switchover/situation.ts";
import type { KnownNode } from "../add-node/situation.ts";

/** What any operation asks that brings one standby back. */
export type SubjectSituation = {
  readonly asked: string;
  readonly subject: KnownNode | null;
  readonly nodes: readonly KnownNode[];
  readonly primaries: readonly KnownNode[];
  readonly declaration: { readonly name: string };
};

export const onePrimary: Check<SubjectSituation> = {
  id: "one-primary",
  title: "Exactly one node is the primary",
  goesFirst: true,
  wrong: ({ primaries, nodes }) => {
    if (primaries.length === 1) return [];
    const away = nodes.filter(({ agent }) => agent?.connected !== true);
    return [
      primaries.length === 0
        ? { node: null, found: `no node that can be seen is a primary${away.length === 0 ? "" : ` (away: ${namesOf(away)})`}`, fix: "castellan status; there is nothing to copy from, or to follow." } // prettier-ignore
        : { node: null, found: `${namesOf(primaries)} are primaries, all of them`, fix: "castellan status; decide which one stays, and stop the other." }, // prettier-ignore
    ];
  },
};

export const isStandbyToBe: Check<SubjectSituation> = {
  id: "subject",
  title: "The node is one of this cluster's, and not its primary",
  goesFirst: true,
  wrong: ({ asked, subject, nodes, primaries, declaration }) => {
    if (subject === null) return [{ node: asked, found: `${asked} is no node of ${declaration.name}`, fix: `It has ${namesOf(nodes)}.` }]; // prettier-ignore
    if (primaries.includes(subject)) return [{ node: asked, found: `${asked} is the primary`, fix: "Its data is what the others follow: castellan switchover first, if another node shall lead." }]; // prettier-ignore
    if (subject.agent?.connected === true) return [];
    return [{ node: asked, found: `the agent of ${asked} is away`, fix: `Start castellan-agent on ${asked}.` }]; // prettier-ignore
  },
};

export function agentsThere(
  verbs: readonly CommandKind[],
  which: "concerned" | "all" = "concerned",
): Check<SubjectSituation> {
  return {
    id: "agents",
    title: "The agents that it needs are connected, and admit what is asked of them",
    wrong: ({ nodes, primaries, subject }) =>
      nodes.flatMap((node): readonly Wrong[] => {
        const { name, pool } = node.declared;
        const isConcerned = node === subject || primaries.includes(node) || pool !== null;
        if (which === "concerned" && !isConcerned) return [];
        if (node.facts === null) {
          return [{ node: name, found: `the agent of ${name} is away`, fix: `Start castellan-agent on ${name}.` }]; // prettier-ignore
        }
        const admitted = node.facts.agent.verbs;
        const missing = verbs.filter((verb) => !admitted.includes(verb));
        if (missing.length === 0) return [];
        return [{ node: name, found: `${name} does not admit ${missing.join(", ")}`, fix: `On ${name}: add ${missing.map((verb) => `"${verb}"`).join(", ")} to allow.verbs in agent.yaml, and restart castellan-agent.` }]; // prettier-ignore
      }),
  };
}

export const vendorAtRest: Check<SubjectSituation> = {
  id: "guard-in-charge",
  title: "The vendor's checks are not in charge of the node",
  wrong: ({ subject, declaration }) => {
    const at = subject?.facts?.guard.vendorAtWork ?? null;
    if (at === null || subject === null) return [];
    const { name } = subject.declared;
    return [{ node: name, found: `${name}: ${at}`, fix: `castellan guard takeover ${declaration.name}: the vendor's check would start or rewind the node in the middle of it.` }]; // prettier-ignore
  },
};

export const poolsRun: Check<SubjectSituation> = {
  id: "pools",
  title: "Every pool runs",
  wrong: ({ nodes }) =>
    nodes.flatMap(({ declared: { name, pool }, facts }): readonly Wrong[] => {
      const status = facts?.pool?.status ?? "unknown";
      if (pool === null || status === "running") return [];
      return [{ node: name, found: `the pool of ${name} is ${status}`, fix: "The node's row can't be attached there: start it first." }]; // prettier-ignore
    }),
};

/** The stop of an attached standby is a failover to a pool, too. Our own executor does nothing for a standby. */
export const noForeignFailover: Check<SubjectSituation> = {
  id: "failover-command",
  title: "No pool calls another failover script when the node stops",
  wrong: (situation) => {
    const { nodes, subject } = situation;
    const runs = subject?.facts?.database.status === "running";
    if (!runs || rowOf(subject, situation) === null) return [];
    return nodes.flatMap(({ declared: { name }, facts }): readonly Wrong[] => {
      const command = facts?.pool?.settings["failover_command"] ?? "";
      if (command === "" || callsOurExecutor(command)) return [];
      return [{ node: name, found: `the pool of ${name} runs ${command.split(" ")[0]} when ${subject.declared.name} stops`, fix: "Empty failover_command, or have it call castellan-failover (docs/failover.md)." }]; // prettier-ignore
    });
  },
};

function namesOf(nodes: readonly KnownNode[]): string {
  return nodes.map(({ declared }) => declared.name).join(", ");
}
