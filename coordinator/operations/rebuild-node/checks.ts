import { oldDirectoryFor } from "#shared/domain/names.ts";
import { settingNumber } from "../add-node/situation.ts";
import { runChecks, type Check, type Wrong } from "../checks.ts";
import type { CheckResult } from "../plan.ts";
import { waitingWithout } from "../waiting-commits.ts";
import type { RebuildSituation } from "./situation.ts";
import { agentsThere, isStandbyToBe, noForeignFailover, onePrimary, poolsRun, vendorAtRest } from "./subject-checks.ts"; // prettier-ignore

/** In the order in which a person would mend them. @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkRebuild(situation: RebuildSituation): readonly CheckResult[] {
  return runChecks(checks, situation);
}

const checks: readonly Check<RebuildSituation>[] = [
  onePrimary,
  isStandbyToBe,
  agentsThere([
    "renew-slot",
    "stop-standby",
    "base-backup",
    "keep-own-files",
    "swap-data-directory",
    "start-database",
    "remake-slots",
    "drop-old-directory",
  ]),
  vendorAtRest,
  {
    id: "place",
    title: "The data directory can be set aside, and a copy be made beside it",
    wrong: ({ copy, declaration }) => {
      const { name, paths } = copy?.newcomer.declared ?? { name: "", paths: { dataDirectory: "" } };
      const { dataDirectory } = paths;
      const { answer = null, problem = null } = copy?.probes.target ?? {};
      const wrong = (found: string, fix: string): readonly Wrong[] => [{ node: name, found, fix }];
      if (answer === null) return wrong(`${name} can't be asked about its directories: ${problem ?? "no answer"}`, `Look at castellan-agent on ${name}.`); // prettier-ignore
      const { isMountPoint, parentWritable, state } = answer.dataDirectory;
      if (isMountPoint) return wrong(`${dataDirectory} is a mount point`, `Nothing can be renamed over it, and there is no room for the old data beside the new: castellan node remove ${declaration.name} ${name}, then castellan node add.`); // prettier-ignore
      if (state === "not-a-directory") return wrong(`${dataDirectory} is a link or a file`, `Name the directory itself in agent.yaml and in the declaration.`); // prettier-ignore
      if (!parentWritable) return wrong(`nothing can be made beside ${dataDirectory}`, `Let the agent's user write there, and name the place in allow.paths of agent.yaml.`); // prettier-ignore
      const old = answer.directories.find(({ path }) => path === oldDirectoryFor(dataDirectory));
      if (old?.exists === true) return wrong(`${old.path} is there already`, `Move it away: the data directory is kept under that name until the copy is proved.`); // prettier-ignore
      if (answer.stagingState !== "absent") return wrong(`${copy?.stagingDirectory ?? ""} is there already`, `Move it away: the copy is made there.`); // prettier-ignore
      const barred = answer.directories.filter(({ writable }) => !writable).map(({ path }) => path);
      return barred.length === 0 ? [] : wrong(`the agent of ${name} may not write ${barred.join(" and ")}`, `Add them to allow.paths in agent.yaml, and restart castellan-agent.`); // prettier-ignore
    },
  },
  {
    id: "wal",
    title: "The WAL of the node lies in its data directory",
    wrong: ({ asked, subject }) => {
      const { dataDirectory } = subject?.declared.paths ?? { dataDirectory: "" };
      const directory = subject?.facts?.guard.walDisk?.directory ?? dataDirectory;
      // Links are resolved in it, those above the data directory too.
      const isInside = directory.split("/").at(-2) === dataDirectory.split("/").at(-1);
      if (directory === dataDirectory || isInside) return [];
      return [{ node: asked, found: `the WAL of ${asked} lies in ${directory}`, fix: "The copy has its own in the data directory: what it is linked to is left, to be removed by hand.", isWarning: true }]; // prettier-ignore
    },
  },
  {
    id: "tablespaces",
    title: "All data is in the data directory",
    wrong: ({ asked, copy, declaration }) => {
      const places = copy?.primary?.facts?.database.tablespaces.map(({ location }) => location) ?? []; // prettier-ignore
      if (places.length === 0) return [];
      return [{ node: asked, found: `the cluster has tablespaces in ${places.join(", ")}`, fix: `Two copies of them can't be kept: castellan node remove ${declaration.name} ${asked}, then castellan node add.` }]; // prettier-ignore
    },
  },
  {
    id: "logins",
    title: "The node can log in to the primary, for replication and for maintenance",
    wrong: ({ asked, copy }) => {
      const { answer = null, problem = null } = copy?.probes.logins ?? {};
      if (answer === null) return [{ node: asked, found: `logins from ${asked} can't be tried: ${problem ?? "no answer"}`, fix: `castellan-agent secret list on ${asked} says which passwords it has.` }]; // prettier-ignore
      return answer.results.flatMap(
        ({ ok, login, message }): readonly Wrong[] =>
        ok
          ? []
          : [{ node: asked, found: `${login.user} can't log in from ${asked} to ${login.host}:${login.port}: ${message ?? "no word"}`, fix: `Its hba line, or the secret "${login.secret}" of ${asked}.` }], // prettier-ignore
      );
    },
  },
  {
    id: "room",
    title: "The primary has a walsender and a slot to spare for the copy",
    wrong: ({ copy }) => {
      const primary = copy?.primary ?? null;
      const name = primary?.declared.name ?? null;
      const { replication = [], slots = [] } = primary?.facts?.database ?? {};
      return (
        [
          ["max_wal_senders", replication.length, 2],
          ["max_replication_slots", slots.length, 1],
        ] as const
      ).flatMap(
        // prettier-ignore
        ([what, used, needed]): readonly Wrong[] => {
          const most = settingNumber(primary, what);
          if (most === null || most - used >= needed) return [];
          return [{ node: name, found: `${most - used} of ${what} = ${most} free on ${name ?? ""}, ${needed} are needed`, fix: "Raise it there; it takes a restart." }]; // prettier-ignore
        },
      );
    },
  },
  {
    id: "slot",
    title: "Nobody else streams through the node's slot",
    wrong: ({ asked, copy }) => {
      const { slot } = copy?.newcomer.declared ?? {};
      const row = copy?.primary?.facts?.database.slots.find(({ name }) => name === slot);
      if (row?.active !== true || row.client === null || row.client.startsWith(asked)) return [];
      return [{ node: asked, found: `slot ${row.name} is in use by ${row.client}`, fix: `Lead that one through a slot of its own first.` }]; // prettier-ignore
    },
  },
  {
    id: "followers",
    title: "Nobody streams from the node",
    wrong: ({ asked, subject }) =>
      (subject?.facts?.database.replication ?? []).map(({ applicationName }) => ({
        node: asked,
        found: `${applicationName} streams from ${asked}`,
        fix: `The copy has no WAL of before for it: lead it to the primary first.`,
      })),
  },
  {
    id: "synchronous",
    title: "Commits don't wait for the node while it is copied",
    wrong: ({ asked, copy }) => {
      const found = waitingWithout(asked, copy?.primary ?? null);
      return found === null ? [] : [{ node: asked, found, fix: "Ask for fewer standbys first, for as long as the copy takes." }]; // prettier-ignore
    },
  },
  poolsRun,
  noForeignFailover,
  {
    id: "forecast",
    title: "What the copy will take can be measured",
    wrong: ({ asked, copy }) => {
      if (copy?.probes.walRate?.answer != null) return [];
      return [{ node: asked, found: `the primary does not say how much WAL it writes: ${copy?.probes.walRate?.problem ?? "no answer"}`, fix: "castellan status" }]; // prettier-ignore
    },
  },
];
