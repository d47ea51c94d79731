import { callsOurExecutor } from "#shared/config-files/pool-settings.ts";
import type { CommandKind } from "#shared/domain/commands.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import { parseSyncList } from "#shared/domain/sync-list.ts";
import { printBytes } from "../add-node/print-units.ts";
import { setting, settingNumber, type KnownNode } from "../add-node/situation.ts";
import { runChecks, type Check, type Wrong } from "../checks.ts";
import type { CheckResult } from "../plan.ts";
import { managersOf, type SwitchoverSituation } from "./situation.ts";

/** In the order in which a person would mend them. @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkSwitchover(situation: SwitchoverSituation): readonly CheckResult[] {
  return runChecks(checks, situation);
}

const verbs: readonly CommandKind[] = ["demote", "promote", "follow", "lead-pool", "take-address"];

const checks: readonly Check<SwitchoverSituation>[] = [
  {
    id: "one-primary",
    goesFirst: true,
    title: "Exactly one node is the primary",
    wrong: ({ primaries, nodes }) => {
      if (primaries.length === 1) return [];
      const names = primaries.map(({ declared }) => declared.name).join(", ");
      const away = namesOf(nodes.filter(({ agent }) => agent?.connected !== true));
      return [
        primaries.length === 0
          ? { node: null, found: `no node that can be seen is a primary${away === "" ? "" : ` (away: ${away})`}`, fix: "castellan status; a primary that is gone is replaced by castellan failover." } // prettier-ignore
          : { node: null, found: `${names} are primaries, all of them`, fix: "Clients may be writing to both. castellan status; decide which one stays, and stop the other." }, // prettier-ignore
      ];
    },
  },
  {
    id: "target",
    goesFirst: true,
    title: "The target is a standby that runs",
    wrong: (situation) => {
      const { to, successor, declaration, primaries, nodes } = situation;
      if (successor === null) return [{ node: to, found: `${to} is no node of ${declaration.name}`, fix: `It has ${namesOf(nodes)}.` }]; // prettier-ignore
      if (primaries.includes(successor)) return [{ node: to, found: `${to} is the primary already`, fix: "castellan status" }]; // prettier-ignore
      if (successor.agent?.connected !== true) return [{ node: to, found: `the agent of ${to} is away`, fix: `Start castellan-agent on ${to}.` }]; // prettier-ignore
      const { status, problem } = successor.facts?.database ?? { status: "unknown", problem: null };
      if (status === "running") return [];
      return [{ node: to, found: `the database of ${to} is ${status}${problem === null ? "" : ` (${problem})`}`, fix: `castellan why ${to}` }]; // prettier-ignore
    },
  },
  {
    id: "agents",
    title: "The agent of every node is connected, and admits what is asked of it",
    wrong: ({ nodes, primaries, successor }) =>
      nodes.flatMap((node): readonly Wrong[] => {
        const { declared, agent, facts } = node;
        if (agent?.connected !== true || facts === null) {
          const isNeeded = primaries.includes(node) || node === successor || declared.pool !== null;
          const wrong = { node: declared.name, found: `the agent of ${declared.name} is away` };
          return isNeeded
            ? [{ ...wrong, fix: `Start castellan-agent on ${declared.name}.` }]
            : [{ ...wrong, fix: "It follows the new primary when it is back: by its guard, in mode enforce.", isWarning: true }]; // prettier-ignore
        }
        const missing = verbs.filter((verb) => !facts.agent.verbs.includes(verb));
        if (missing.length === 0) return [];
        return [{ node: declared.name, found: `${declared.name} does not admit ${missing.join(", ")}`, fix: `On ${declared.name}: add ${missing.map((verb) => `"${verb}"`).join(", ")} to allow.verbs in agent.yaml, and restart castellan-agent.` }]; // prettier-ignore
      }),
  },
  {
    id: "guard-in-charge",
    title: "The vendor's checks are not in charge",
    wrong: ({ nodes, declaration }) =>
      nodes.flatMap(({ declared, facts }): readonly Wrong[] => {
        const at = facts?.guard.vendorAtWork ?? null;
        if (at === null) return [];
        return [{ node: declared.name, found: `${declared.name}: ${at}`, fix: `castellan guard takeover ${declaration.name}: the vendor's check would stop and rewind a node in the middle of it.` }]; // prettier-ignore
      }),
  },
  {
    id: "target-streams",
    title: "The target streams from the primary itself, on its timeline",
    wrong: ({ primaries: [primary], successor }) => {
      const name = successor?.declared.name ?? "";
      const row = primary?.facts?.database.replication.find((one) => one.applicationName === name);
      if (row?.state !== "streaming") {
        const receiver = successor?.facts?.database.receiver ?? null;
        const from = receiver === null ? "it receives no WAL" : `its receiver is ${receiver.status}, from ${receiver.conninfo}`; // prettier-ignore
        return [{ node: name, found: `${name} does not stream from ${primary?.declared.name ?? ""}: ${from}`, fix: "Choose a node that does (castellan status), or let this one follow the primary first." }]; // prettier-ignore
      }
      const [from, to] = [primary?.facts?.database.timeline, successor?.facts?.database.timeline];
      return from === to ? [] : [{ node: name, found: `${name} is on timeline ${to}, the primary on ${from}`, fix: "Wait until it is on the primary's timeline." }]; // prettier-ignore
    },
  },
  {
    id: "lag",
    title: "The target has replayed nearly all of the primary's WAL",
    wrong: ({ primaries: [primary], successor, lagLimitBytes }) => {
      const name = successor?.declared.name ?? "";
      const position = primary?.facts?.database.position ?? "0/0";
      const row = primary?.facts?.database.replication.find((one) => one.applicationName === name);
      const lag = lsnDistance(row?.replayLsn ?? "0/0", position) ?? Number.POSITIVE_INFINITY;
      if (lag <= lagLimitBytes) return [];
      return [{ node: name, found: `${name} is ${printBytes(lag)} behind, at most ${printBytes(lagLimitBytes)} is wanted`, fix: "Nobody could write until it has caught up. Wait, or allow more with --lag-limit." }]; // prettier-ignore
    },
  },
  {
    id: "followers",
    title: "Every other standby streams from the primary",
    wrong: ({ primaries: [primary], successor, nodes }) =>
      nodes.flatMap((node): readonly Wrong[] => {
        if (node === primary || node === successor) return [];
        const { name } = node.declared;
        const row = primary?.facts?.database.replication.find((one) => one.applicationName === name); // prettier-ignore
        if (row?.state === "streaming") return [];
        return [{ node: name, found: `${name} does not stream from the primary`, fix: "It may lack WAL that the new primary keeps no longer: look first (castellan why).", isWarning: true }]; // prettier-ignore
      }),
  },
  {
    id: "slots-free",
    title: "The target has room for a slot and a walsender of every other node",
    wrong: ({ successor, nodes }) => {
      const name = successor?.declared.name ?? "";
      const slots = successor?.facts?.database.slots ?? [];
      const missing = missingSlots(successor, nodes).length;
      return [
        ["max_replication_slots", slots.length + missing],
        ["max_wal_senders", nodes.length - 1],
      ].flatMap(([what, needed]): readonly Wrong[] => {
        const most = settingNumber(successor, String(what));
        if (most === null || most >= Number(needed)) return [];
        return [{ node: name, found: `${what} of ${name} is ${most}, ${needed} are needed`, fix: `Raise it there; it takes a restart of ${name}.` }]; // prettier-ignore
      });
    },
  },
  {
    id: "synchronous-list",
    title: "Who commits wait for afterwards can be worked out",
    wrong: ({ primaries: [primary] }) => {
      const value = setting(primary ?? null, "synchronous_standby_names") ?? "";
      return parseSyncList(value).kind === "broken"
        ? [{ node: primary?.declared.name ?? null, found: `synchronous_standby_names = '${value}' can't be read`, fix: "Write it as 1 (a, b)." }] // prettier-ignore
        : [];
    },
  },
  {
    id: "virtual-address",
    title: "The virtual address can go from host to host",
    wrong: ({ declaration, primaries, successor }) => {
      if (declaration.virtualAddresses.database === null) return [];
      return [...primaries, ...(successor === null ? [] : [successor])].flatMap(
        ({ declared, facts }): readonly Wrong[] => {
          const known = facts?.host.rootHelperVerbs ?? [];
          if (["vip-status", "vip-add", "vip-drop"].every((verb) => known.includes(verb))) return []; // prettier-ignore
          return [{ node: declared.name, found: `the root helper of ${declared.name} has no verbs for it`, fix: `On ${declared.name}, as root: castellan-root install --virtual-address ${declaration.virtualAddresses.database ?? ""} --nic NIC (docs/root-helper.md).` }]; // prettier-ignore
        },
      );
    },
  },
  {
    id: "failover-command",
    title: "No pool promotes anybody of its own accord meanwhile",
    wrong: (situation) =>
      managersOf(situation).flatMap(({ declared, facts }): readonly Wrong[] => {
        const { settings, status } = facts?.pool ?? { settings: {}, status: "stopped" };
        if (status !== "running") {
          return [{ node: declared.name, found: `the pool of ${declared.name} is ${status}`, fix: "Its rows can't be put right: start it first." }]; // prettier-ignore
        }
        const follow = settings["follow_primary_command"] ?? settings["follow_master_command"] ?? ""; // prettier-ignore
        const wrong: Wrong[] = [];
        const command = settings["failover_command"] ?? "";
        if (command !== "" && !callsOurExecutor(command)) wrong.push({ node: declared.name, found: `the pool of ${declared.name} runs ${command.split(" ")[0]} when the primary stops`, fix: "It would promote somebody while the primary stops: empty failover_command, or have it call castellan-failover (docs/failover.md), and reload." }); // prettier-ignore
        if (follow !== "") wrong.push({ node: declared.name, found: `the pool of ${declared.name} has a follow_primary_command`, fix: "It takes every standby out of the pool at a failover: empty it." }); // prettier-ignore
        return wrong;
      }),
  },
];

/** Nodes that have no slot of theirs there yet. */
export function missingSlots(
  successor: KnownNode | null,
  nodes: readonly KnownNode[],
): readonly KnownNode[] {
  const slots = successor?.facts?.database.slots ?? [];
  return nodes.filter(
    (node) => node !== successor && !slots.some(({ name }) => name === node.declared.slot),
  );
}

function namesOf(nodes: readonly KnownNode[]): string {
  return nodes.map(({ declared }) => declared.name).join(", ");
}
