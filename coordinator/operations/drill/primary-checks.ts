import { callsOurExecutor } from "#shared/config-files/pool-settings.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import { hasSyncName, parseSyncList, requiredStandbys } from "#shared/domain/sync-list.ts";
import { printBytes } from "../add-node/print-units.ts";
import { setting } from "../add-node/situation.ts";
import type { Check, Wrong } from "../checks.ts";
import { agentsThere, onePrimary, poolsRun } from "../rebuild-node/subject-checks.ts";
import type { DrillSituation } from "./checks.ts";
import { aPool, lossAccepted } from "./common-checks.ts";
import { caughtUpBytes } from "./fault-step.ts";
import { stoppedBefore } from "./primary-plan.ts";

/** What a drill of a primary asks: that all is well, and that the failover is ours. */
export const primaryChecks: readonly Check<DrillSituation>[] = [
  onePrimary,
  {
    id: "target",
    title: "Another node takes over",
    goesFirst: true,
    wrong: ({ asked, scenario, subject, nodes, primaries, declaration }) => {
      if (nodes.length < 2) return [{ node: asked, found: `${declaration.name} has no standby`, fix: `castellan node add ${declaration.name}: nobody could take the primary's place.` }]; // prettier-ignore
      if (scenario !== "cascade" || subject === null || !primaries.includes(subject)) return [];
      return [{ node: asked, found: `${asked} leads already`, fix: "--node names the standby that is to take over when all others are down." }]; // prettier-ignore
    },
  },
  agentsThere(["run-load", "stop-primary", "kill-primary", "stop-standby", "fence", "promote", "follow", "rejoin", "demote", "lead-pool", "take-address"], "all"), // prettier-ignore
  {
    id: "guard-in-charge",
    title: "The guard of every node is in charge",
    wrong: ({ nodes, declaration }) =>
      nodes.flatMap(({ declared: { name }, facts }): readonly Wrong[] => {
        const { mode = "observe", vendorAtWork } = facts?.guard ?? {};
        const fix = `castellan guard takeover ${declaration.name}: after a failover it is the guards that lead the others over.`;
        if (vendorAtWork != null) return [{ node: name, found: `${name}: ${vendorAtWork}`, fix }];
        if (mode === "enforce") return [];
        return [{ node: name, found: `the guard of ${name} is in mode ${mode}`, fix: mode === "maintenance" ? `castellan guard maintenance ${name} --end` : fix }]; // prettier-ignore
      }),
  },
  {
    id: "standbys",
    title: "Every standby streams from the primary, and has caught up",
    wrong: ({ nodes, primaries: [primary] }) => {
      const { position = null, replication = [] } = primary?.facts?.database ?? {};
      return nodes.flatMap((node): readonly Wrong[] => {
        const { name } = node.declared;
        if (node === primary) return [];
        const row = replication.find(({ applicationName }) => applicationName === name);
        if (row?.state !== "streaming") return [{ node: name, found: `${name} does not stream from ${primary?.declared.name ?? ""}`, fix: `castellan why ${name}` }]; // prettier-ignore
        const lag = lsnDistance(row.replayLsn, position) ?? Number.POSITIVE_INFINITY;
        if (lag <= caughtUpBytes) return [];
        return [{ node: name, found: `${name} is ${printBytes(lag)} behind, at most ${printBytes(caughtUpBytes)} is wanted`, fix: "Wait until it has caught up: castellan status" }]; // prettier-ignore
      });
    },
  },
  lossAccepted,
  {
    id: "synchronous",
    title: "One of those that are left has all that was acknowledged",
    wrong: (situation) => {
      const value = setting(situation.primaries[0] ?? null, "synchronous_standby_names") ?? "";
      const list = parseSyncList(value);
      const gone = stoppedBefore(situation).filter(({ declared }) => hasSyncName(list, declared.name)); // prettier-ignore
      const required = requiredStandbys(value) ?? 0;
      if (required === 0 || gone.length < required) return [];
      const names = gone.map(({ declared }) => declared.name).join(", ");
      return [{ node: null, found: `with ${names} down nobody would be promoted: synchronous_standby_names = '${value}'`, fix: `Leave ${names} out of it for as long as the drill takes.` }]; // prettier-ignore
    },
  },
  aPool,
  poolsRun,
  {
    id: "executor",
    title: "Every pool calls castellan-failover when it loses its primary",
    wrong: ({ nodes }) =>
      nodes.flatMap(({ declared: { name, pool }, facts }): readonly Wrong[] => {
        const { settings } = facts?.pool ?? { settings: {} as Readonly<Record<string, string>> };
        const command = settings["failover_command"] ?? "";
        const follow = settings["follow_primary_command"] ?? settings["follow_master_command"] ?? ""; // prettier-ignore
        if (pool === null) return [];
        if (follow !== "") return [{ node: name, found: `the pool of ${name} has a follow_primary_command`, fix: "It takes every standby out of the pool at a failover: empty it." }]; // prettier-ignore
        if (callsOurExecutor(command)) return [];
        const called = command === "" ? "nothing" : (command.split(" ")[0] ?? "");
        return [{ node: name, found: `the pool of ${name} calls ${called} when it loses its primary`, fix: "Have failover_command call castellan-failover (docs/failover.md), and reload the pool." }]; // prettier-ignore
      }),
  },
];
