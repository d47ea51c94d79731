import { isSameAddress } from "#shared/domain/addresses.ts";
import { hasSyncName, parseSyncList, requiredStandbys } from "#shared/domain/sync-list.ts";
import { setting, type KnownNode } from "../add-node/situation.ts";
import { runChecks, type Check, type Wrong } from "../checks.ts";
import type { CheckResult } from "../plan.ts";
import { onePrimary, poolsRun } from "../rebuild-node/subject-checks.ts";
import type { RemoveSituation } from "./situation.ts";
import { rowOfSubject } from "./situation.ts";

/** In the order in which a person would mend them. @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkRemove(situation: RemoveSituation): readonly CheckResult[] {
  return runChecks(checks, situation);
}

const verbsOfOthers = ["remove-entries", "drop-slots", "set-synchronous-list"] as const;
const verbsOfPools = [...verbsOfOthers, "detach-backend", "attach-backend"] as const;
const verbsOfSubject = ["set-guard-mode", "drop-slots", "stop-standby", "delete-data"] as const;

const checks: readonly Check<RemoveSituation>[] = [
  onePrimary,
  {
    id: "subject",
    title: "The node is a standby of this cluster, and runs no pool",
    goesFirst: true,
    wrong: ({ asked, subject, nodes, primaries, declaration, request }) => {
      const wrong = (found: string, fix: string): readonly Wrong[] => [{ node: asked, found, fix }];
      if (subject === null) return wrong(`${asked} is no node of ${declaration.name}`, `It has ${namesOf(nodes)}.`); // prettier-ignore
      if (primaries.includes(subject)) return wrong(`${asked} is the primary`, `castellan switchover ${declaration.name} --to another node first.`); // prettier-ignore
      if (subject.declared.pool !== null) return wrong(`${asked} is a management node: it runs a pool`, "Move its pool to another host first; the declaration says which nodes have one (castellan status)."); // prettier-ignore
      const isThere = subject.agent?.connected === true;
      if (!isThere && !request.gone) return wrong(`the agent of ${asked} is away`, `Start castellan-agent on ${asked}; or, if that host is gone for good: --gone, which leaves out what would be done there.`); // prettier-ignore
      if (isThere && request.gone) return wrong(`the agent of ${asked} is connected`, "Leave --gone out: what is to be done on that host can be done."); // prettier-ignore
      if (request.gone && request.deleteData) return wrong(`nothing can be deleted on ${asked}: its agent is away`, "Leave --delete-data out."); // prettier-ignore
      return [];
    },
  },
  {
    id: "agents",
    title: "The agent of every other node is connected, and all admit what is asked of them",
    wrong: ({ nodes, subject, request }) =>
      nodes.flatMap((node): readonly Wrong[] => {
        const { name, pool } = node.declared;
        if (node === subject && request.gone) return [];
        if (node.facts === null) {
          return [{ node: name, found: `the agent of ${name} is away`, fix: `Start castellan-agent on ${name}: its files name the node, too.` }]; // prettier-ignore
        }
        const wanted = node === subject ? verbsOfSubject : pool === null ? verbsOfOthers : verbsOfPools; // prettier-ignore
        const admitted = node.facts.agent.verbs;
        const missing = wanted.filter((verb) => !admitted.includes(verb));
        if (missing.length === 0) return [];
        return [{ node: name, found: `${name} does not admit ${missing.join(", ")}`, fix: `On ${name}: add ${missing.map((verb) => `"${verb}"`).join(", ")} to allow.verbs in agent.yaml, and restart castellan-agent.` }]; // prettier-ignore
      }),
  },
  {
    id: "upstream",
    title: "No other node streams from it",
    wrong: ({ asked, subject, others }) => {
      const { address = "" } = subject?.declared ?? {};
      const senders = subject?.facts?.database.replication.map((row) => row.applicationName) ?? [];
      const followers = others.filter(({ declared, facts }) => {
        const host = /(?:^|\s)host=(\S+)/.exec(facts?.database.receiver?.conninfo ?? "")?.[1];
        return senders.includes(declared.name) || (host !== undefined && isSameAddress(host, address)); // prettier-ignore
      });
      if (followers.length === 0) return [];
      return [{ node: asked, found: `${namesOf(followers)} streams from ${asked}`, fix: `Let it follow the primary first: castellan why ${followers[0]?.declared.name ?? ""}` }]; // prettier-ignore
    },
  },
  {
    id: "synchronous",
    title: "Commits find the standbys that they wait for without the node",
    wrong: ({ asked, primaries: [primary] }) => {
      const value = setting(primary ?? null, "synchronous_standby_names") ?? "";
      const list = parseSyncList(value);
      const name = primary?.declared.name ?? "";
      const required = requiredStandbys(value);
      if (required === null) return [{ node: name, found: `synchronous_standby_names = '${value}' on ${name} can't be read`, fix: "Write it as FIRST 1 (a, b) or ANY 1 (a, b)." }]; // prettier-ignore
      const left = (primary?.facts?.database.replication ?? []).filter(
        ({ state, applicationName }) =>
          state === "streaming" && applicationName !== asked && hasSyncName(list, applicationName),
      ).length;
      if (left >= required || !hasSyncName(list, asked)) return [];
      return [{ node: name, found: `without ${asked} commits would wait: synchronous_standby_names = '${value}' on ${name}, ${left} other of it streams`, fix: "Add a standby first; or ask for fewer of them on the primary, by your own decision." }]; // prettier-ignore
    },
  },
  poolsRun,
  {
    id: "tablespaces",
    title: "Everything that is to be deleted is in the data directory",
    wrong: ({ asked, subject, request }) => {
      const places = subject?.facts?.database.tablespaces.map(({ location }) => location) ?? [];
      if (!request.deleteData || places.length === 0) return [];
      return [{ node: asked, found: `tablespaces in ${places.join(", ")} stay on ${asked}`, fix: "Delete them by hand afterwards.", isWarning: true }]; // prettier-ignore
    },
  },
  {
    id: "failover-command",
    title: "No pool calls a script of another's when the node is detached",
    wrong: (situation) => {
      if (rowOfSubject(situation)?.isUp !== true) return [];
      return situation.nodes.flatMap(({ declared: { name }, facts }): readonly Wrong[] => {
        const command = facts?.pool?.settings["failover_command"] ?? "";
        if (command === "" || command.includes("castellan-failover")) return [];
        return [{ node: name, found: `the pool of ${name} calls ${command.split(" ")[0]} for ${situation.asked}, as for any standby that is lost`, fix: "Know what it does for a standby, or empty failover_command meanwhile.", isWarning: true }]; // prettier-ignore
      });
    },
  },
];

function namesOf(nodes: readonly KnownNode[]): string {
  return nodes.map(({ declared }) => declared.name).join(", ");
}
