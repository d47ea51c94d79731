import { bareAddress, isSameAddress } from "#shared/domain/addresses.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import { printBytes } from "../print-units.ts";
import { type KnownNode, setting, type Situation } from "../situation.ts";
import {
  always,
  type Check,
  fail,
  nameOf,
  pass,
  type Verdict,
  warn,
  withDatabase,
} from "./check.ts";

/** More behind than this and the standby is not one to rely on while its primary gets more work. */
const lagWarnBytes = 64 * 1024 * 1024;

const standbysOf = (s: Situation): readonly KnownNode[] =>
  s.existing.filter((node) => node.facts?.database.role === "standby");

const rowOn = (sender: KnownNode | null, node: KnownNode) =>
  sender?.facts?.database.replication.find((row) => row.applicationName === nameOf(node)) ?? null;

/** Who sends to this standby: the primary, or in a cascade another standby. */
const senderOf = (s: Situation, node: KnownNode): KnownNode | null =>
  [s.primary, ...standbysOf(s)].find(
    (other) => other !== null && other !== node && rowOn(other, node) !== null,
  ) ?? null;

const rowOf = (s: Situation, node: KnownNode) => rowOn(senderOf(s, node), node);

/** The cluster as it is: one primary, its standbys streaming the way they are declared. */
export const topologyChecks: readonly Check[] = [
  {
    id: "database-running",
    title: "The database of every existing node answers its agent",
    wanted: "running",
    applies: always,
    evaluate: (s) =>
      s.existing
        .filter((node) => node.facts !== null)
        .map((node): Verdict => {
          const { status, problem } = node.facts?.database ?? { status: "absent", problem: null };
          if (status === "running") return pass(nameOf(node), "running");
          const why = problem === null ? "" : `: ${problem}`;
          return fail(nameOf(node), `${status}${why}`, fixForDatabase(node, problem));
        }),
  },
  {
    id: "one-primary",
    title: "Exactly one node is primary",
    wanted: "exactly one primary",
    applies: always,
    evaluate: (s) => {
      const names = s.primaries.map(nameOf);
      if (names.length === 1) return pass(null, `${names.join()} is the primary`);
      const found = names.length === 0 ? "no primary" : `${names.length}: ${names.join(", ")}`;
      const fix =
        names.length === 0
          ? "Promote one first; a node is only added to a cluster that works."
          : "Stop the one that is not the real primary at once: both accept writes.";
      return fail(null, found, fix);
    },
  },
  {
    id: "system-identifier",
    title: "All databases are copies of one cluster",
    wanted: "one system identifier",
    applies: always,
    evaluate: (s) => {
      const wanted = s.primary?.facts?.database.systemIdentifier ?? null;
      if (s.primary === null) return [];
      if (wanted === null) {
        return fail(
          nameOf(s.primary),
          "not known",
          "See that its agent can read the control file.",
        );
      }
      return withDatabase(s.existing).map((node): Verdict => {
        const found = node.facts?.database.systemIdentifier ?? "unknown";
        if (found === wanted) return pass(nameOf(node), found);
        const fix = `${nameOf(node)} belongs to another cluster: take it out of the declaration.`;
        return fail(nameOf(node), found, fix, wanted);
      });
    },
  },
  {
    id: "timeline",
    title: "All databases are on one timeline",
    wanted: "the primary's timeline",
    applies: (s) => s.primary !== null,
    evaluate: (s) =>
      withDatabase(s.existing).map((node): Verdict => {
        const wanted = s.primary?.facts?.database.timeline ?? null;
        const found = node.facts?.database.timeline ?? null;
        if (found === wanted) return pass(nameOf(node), String(found));
        const fix = `${nameOf(node)} has not followed the last promotion: mend it first.`;
        return fail(nameOf(node), String(found), fix, String(wanted));
      }),
  },
  {
    id: "standby-streaming",
    title:
      "Every existing standby streams, from the primary or in a cascade, under its node's name",
    wanted: "streaming, application_name = node name",
    applies: (s) => s.primary !== null,
    evaluate: (s) =>
      standbysOf(s).map((node): Verdict => {
        const row = rowOf(s, node);
        if (row?.state === "streaming") {
          const sender = senderOf(s, node);
          const from = sender === null || sender === s.primary ? "" : ` from ${nameOf(sender)}`;
          return pass(nameOf(node), `streaming${from}, ${row.syncState}`);
        }
        if (row !== null) {
          return fail(
            nameOf(node),
            row.state,
            "Wait until it streams, or find out why it doesn't.",
          );
        }
        const other = s.primary?.facts?.database.replication.find((candidate) =>
          isSameAddress(candidate.clientAddress ?? "", node.declared.address),
        );
        if (other !== undefined && !s.isOneHost) {
          return fail(
            nameOf(node),
            `streams as ${other.applicationName}`,
            `Set application_name=${nameOf(node)} in its primary_conninfo: checks look it up by that name.`,
          );
        }
        return fail(
          nameOf(node),
          "does not stream from the primary",
          "Mend its replication first.",
        );
      }),
  },
  {
    id: "standby-lag",
    title: "Existing standbys keep up",
    wanted: `at most ${printBytes(lagWarnBytes)} behind`,
    applies: (s) => s.primary !== null,
    evaluate: (s) =>
      standbysOf(s).flatMap((node): readonly Verdict[] => {
        const row = rowOf(s, node);
        const position = s.primary?.facts?.database.position ?? null;
        const lag = lsnDistance(row?.replayLsn ?? null, position);
        if (lag === null) return [];
        const found = `${printBytes(Math.max(0, lag))} behind`;
        if (lag <= lagWarnBytes) return [pass(nameOf(node), found)];
        return [warn(nameOf(node), found, "The copy adds load: wait until it has caught up.")];
      }),
  },
  {
    id: "standby-slot",
    title: "Every existing standby streams through its own slot",
    wanted: "its declared slot, active on the node that it streams from",
    applies: (s) => s.primary !== null,
    evaluate: (s) =>
      standbysOf(s).map((node): Verdict => {
        const { slot } = node.declared;
        const sender = senderOf(s, node) ?? s.primary;
        const row = sender?.facts?.database.slots.find(({ name }) => name === slot);
        if (row?.active === true) return pass(nameOf(node), `${slot} active`);
        const found = row === undefined ? `no slot ${slot}` : `${slot} is not used`;
        const fix = `Set primary_slot_name = '${slot}' on ${nameOf(node)}: without it WAL may be recycled too early.`;
        return warn(nameOf(node), found, fix);
      }),
  },
  {
    id: "idle-slots",
    title: "No slot holds back WAL for nobody",
    wanted: "every slot that reserves WAL is in use",
    applies: always,
    evaluate: (s) => {
      const idle = withDatabase(s.existing).flatMap((node) =>
        (node.facts?.database.slots ?? [])
          .filter((slot) => !slot.active && slot.restartLsn !== null)
          .map((slot) => ({ node, slot })),
      );
      if (idle.length === 0) return pass(null, "none");
      return idle.map(({ node, slot }) =>
        warn(
          nameOf(node),
          `${slot.name} holds back ${printBytes(slot.retainedBytes ?? 0)} and is not in use`,
          `If nothing needs it: ${dropSlotSql(s, slot.name)}`,
        ),
      );
    },
  },
  {
    id: "standby-host",
    title: "Existing standbys follow the primary's own address",
    wanted: "the primary's address, not a virtual one",
    applies: always,
    evaluate: (s) =>
      standbysOf(s).flatMap((node): readonly Verdict[] => {
        const host = /\bhost=(\S+)/.exec(node.facts?.database.receiver?.conninfo ?? "")?.[1];
        const vip = s.declaration.virtualAddresses.database;
        if (host === undefined) return [];
        if (vip === null || !isSameAddress(host, bareAddress(vip))) {
          return [pass(nameOf(node), host)];
        }
        const fix = "Name the primary's own address: the virtual one can become this node's.";
        return [warn(nameOf(node), `${host}, the virtual address`, fix)];
      }),
  },
  {
    id: "timeline-latest",
    title: "Existing standbys follow a promotion",
    wanted: "recovery_target_timeline = 'latest'",
    applies: always,
    evaluate: (s) =>
      standbysOf(s).flatMap((node): readonly Verdict[] => {
        const found = setting(node, "recovery_target_timeline");
        if (found === null) return [];
        if (found === "latest") return [pass(nameOf(node), found)];
        return [warn(nameOf(node), found, "Set recovery_target_timeline = 'latest' there.")];
      }),
  },
  {
    id: "archiver",
    title: "The primary's archiver works",
    wanted: "no failed segment",
    applies: (s) => s.primary?.facts?.database.archiver != null,
    evaluate: (s) => {
      if (s.primary === null) return [];
      const { failedCount = 0, lastFailedWal = null } = s.primary.facts?.database.archiver ?? {};
      if (failedCount === 0) return pass(nameOf(s.primary), "no failures");
      return warn(
        nameOf(s.primary),
        `${failedCount} failures, the last for ${lastFailedWal ?? "an unknown segment"}`,
        "If it still fails, WAL piles up whatever we do: mend it first.",
      );
    },
  },
  {
    id: "pending-restart",
    title: "No changed setting waits for a restart",
    wanted: "none",
    applies: always,
    evaluate: (s) =>
      withDatabase(s.existing).map((node): Verdict => {
        const names = node.facts?.database.pendingRestart ?? [];
        if (names.length === 0) return pass(nameOf(node), "none");
        const fix = `The new node starts with the file's values, ${nameOf(node)} runs with older ones.`;
        return warn(nameOf(node), names.join(", "), fix);
      }),
  },
];

function fixForDatabase(node: KnownNode, problem: string | null): string {
  if (/28P01|password authentication failed/.test(problem ?? "")) {
    return `castellan-agent secret set database (on ${nameOf(node)})`;
  }
  return `Start it, or see that the agent's own login in agent.yaml works, on ${nameOf(node)}.`;
}

export function dropSlotSql(s: Situation, slot: string): string {
  const version = s.primary?.facts?.database.versionNumber ?? 0;
  return s.product.dialect(version).dropSlot.replace("$1", `'${slot}'`);
}
