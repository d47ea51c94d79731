import { lsnDistance } from "#shared/domain/lsn.ts";
import { callsOurExecutor } from "#shared/config-files/pool-settings.ts";
import { printBytes } from "../add-node/print-units.ts";
import { runChecks, type Check, type Wrong } from "../checks.ts";
import type { CheckResult } from "../plan.ts";
import { managersOf } from "../switchover/situation.ts";
import { formerPrimary, standbysOf, type ForcedFailoverSituation } from "./situation.ts";

/** What a person's word can't stand in for is refused, the rest is said. @throws Failure PREFLIGHT_FAILED */
export function checkForcedFailover(situation: ForcedFailoverSituation): readonly CheckResult[] {
  return runChecks(checks, situation);
}

const checks: readonly Check<ForcedFailoverSituation>[] = [
  {
    id: "no-primary",
    title: "No node answers as a primary",
    goesFirst: true,
    wrong: ({ nodes, answering, declaration }) =>
      nodes.flatMap(({ declared: { name }, agent, facts }): readonly Wrong[] => {
        const fix = `While it answers: castellan switchover ${declaration.name}. Where it has to go all the same: stop it first.`;
        const { role, status, hasStandbyMarker } = facts?.database ?? {};
        if (role === "primary") return [{ node: name, found: `${name} is the primary, and answers`, fix }]; // prettier-ignore
        if (status === "unreachable" && hasStandbyMarker === false) return [{ node: name, found: `a server runs on ${name} that gives no session, and may take writes`, fix }]; // prettier-ignore
        const wasStandby = agent?.facts?.database.role === "standby";
        if (!answering.includes(name) || wasStandby) return [];
        return [{ node: name, found: `the database of ${name} answers, though its agent is away`, fix: `${fix} Or start castellan-agent on ${name}, which tells whether it is a primary.` }]; // prettier-ignore
      }),
  },
  {
    id: "target",
    title: "The target is a standby that runs",
    goesFirst: true,
    wrong: (situation) => {
      const { to, successor, declaration, nodes } = situation;
      if (successor === null) return [{ node: to, found: `${to} is no node of ${declaration.name}`, fix: `It has ${nodes.map(({ declared }) => declared.name).join(", ")}.` }]; // prettier-ignore
      if (successor.facts === null) return [{ node: to, found: `the agent of ${to} is away`, fix: `Start castellan-agent on ${to}.` }]; // prettier-ignore
      const { status, problem } = successor.facts.database;
      if (!standbysOf(situation).some(({ node }) => node === successor)) return [{ node: to, found: `the database of ${to} is ${status}${problem === null ? "" : ` (${problem})`}, not a standby that runs`, fix: `castellan why ${to}` }]; // prettier-ignore
      if (successor.facts.agent.verbs.includes("promote")) return [];
      return [{ node: to, found: `${to} does not admit promote`, fix: `On ${to}: add "promote" to allow.verbs in agent.yaml, and restart castellan-agent.` }]; // prettier-ignore
    },
  },
  {
    id: "failover-command",
    title: "No pool promotes anybody of its own accord",
    wrong: (situation) =>
      managersOf(situation).flatMap(({ declared: { name }, facts }): readonly Wrong[] => {
        const command = facts?.pool?.settings["failover_command"] ?? "";
        if (command === "" || callsOurExecutor(command)) return [];
        return [{ node: name, found: `the pool of ${name} runs ${command.split(" ")[0]} when a primary is lost`, fix: "It may be promoting somebody else: let it end, then empty failover_command or have it call castellan-failover (docs/failover.md), and reload." }]; // prettier-ignore
      }),
  },
  {
    id: "most-advanced",
    title: "No other standby has more",
    wrong: (situation) => {
      const { to } = situation;
      const standbys = standbysOf(situation);
      const [most] = standbys;
      const target = standbys.find(({ node }) => node.declared.name === to);
      if (most === undefined || target === undefined) return [];
      const missing = lsnDistance(target.position, most.position) ?? 0;
      if (target.timeline === most.timeline && missing <= 0) return [];
      const { name } = most.node.declared;
      const what = target.timeline === most.timeline ? `${printBytes(missing)} of WAL that ${name} has` : `what ${name} has of timeline ${most.timeline}`; // prettier-ignore
      return [{ node: to, found: `${to} lacks ${what}`, fix: `--to ${name} keeps it; else it is lost.`, isWarning: true }]; // prettier-ignore
    },
  },
  {
    id: "at-rest",
    title: "No standby receives WAL any more",
    wrong: ({ nodes }) =>
      nodes.flatMap(({ declared: { name }, facts }): readonly Wrong[] =>
        facts?.database.receiver?.status === "streaming"
          ? [{ node: name, found: `${name} counts as streaming`, fix: "Of a host that has lost its power that is so until wal_receiver_timeout (60 s). Else somebody sends: find out who.", isWarning: true }] // prettier-ignore
          : [],
      ),
  },
  {
    id: "agents",
    title: "Every other node can be asked",
    wrong: (situation) => {
      const former = formerPrimary(situation);
      return situation.nodes.flatMap((node): readonly Wrong[] => {
        const { name } = node.declared;
        if (node.facts !== null || name === situation.to) return [];
        return [
          node === former
            ? { node: name, found: `${name} can't be asked whether it still takes writes`, fix: `Make sure that its host is off, or that no client reaches it. It comes back as a standby where its guard was in charge (castellan why ${name}).`, isWarning: true } // prettier-ignore
            : { node: name, found: `the agent of ${name} is away: it may have more than any other`, fix: `Start castellan-agent on ${name}, if that can be done.`, isWarning: true }, // prettier-ignore
        ];
      });
    },
  },
];
