import { requiredStandbys } from "#shared/domain/sync-list.ts";
import { renderBytes, renderDuration } from "../cli/render/units.ts";
import { ofNodes, primariesIn, type FindingRule } from "./finding-rule.ts";

/** As much as a switchover accepts when it is not told otherwise. */
export const mostLagBytes = 16 * 1024 ** 2;
/** A WAL segment of the usual size: less is kept anyway. */
const idleBytes = 16 * 1024 ** 2;
const nearBudget = 0.8;
const soonFullSeconds = 900;
/** Of the disk: with more than this free, a busy minute says little about the next quarter of an hour. */
const littleFree = 0.1;

/** Whether WAL gets where it should, and what it holds up. */
export const replicationFindings: readonly FindingRule[] = [
  {
    rule: "commits-wait",
    area: "sync",
    severity: "critical",
    makes: "down",
    wanted: "as many synchronous standbys as synchronous_standby_names asks for",
    alsoSaidBy: ["synchronous-without-standby"],
    find: ofNodes((node, cluster) => {
      if (!primariesIn(cluster).includes(node) || node.synchronous === null) return null;
      const { names, standbys } = node.synchronous;
      const required = requiredStandbys(names) ?? 0;
      if (standbys >= required) return null;
      return {
        found: `commits wait: '${names}' asks for ${required} synchronous standbys, there are ${standbys}`,
        next: `castellan why ${node.name}`,
      };
    }),
  },
  {
    rule: "needs-rebuild",
    area: "node",
    severity: "critical",
    makes: "degraded",
    wanted: "every standby can go on from where it is",
    alsoSaidBy: ["needs-rebuild", "standby-not-streaming"],
    find: ofNodes(
      ({ name, problems }, cluster) =>
      problems.rebuild === null
        ? null
        : { found: `it needs a rebuild: ${problems.rebuild}`, next: `castellan node rebuild ${cluster.name} ${name}` }, // prettier-ignore
    ),
  },
  {
    rule: "not-streaming",
    area: "node",
    severity: "critical",
    makes: "degraded",
    wanted: "every standby receives WAL",
    alsoSaidBy: ["standby-not-streaming"],
    find: ofNodes(({ name, database, role, isReceiving, problems }) => {
      if (database !== "running" || role !== "standby" || isReceiving !== false) return null;
      const why = problems.upstream === null ? "" : `: ${problems.upstream}`;
      return { found: `it receives no WAL${why}`, next: `castellan why ${name}` };
    }),
  },
  {
    rule: "other-timeline",
    area: "node",
    severity: "critical",
    makes: "degraded",
    wanted: "every standby is on the primary's timeline",
    alsoSaidBy: ["standby-diverged"],
    find: ofNodes(({ name, role, timeline }, cluster) => {
      const [primary, second] = primariesIn(cluster);
      if (primary === undefined || second !== undefined || role !== "standby") return null;
      if (timeline === null || primary.timeline === null || timeline === primary.timeline) return null; // prettier-ignore
      return {
        found: `it is on timeline ${timeline}, ${primary.name} on ${primary.timeline}`,
        next: `castellan why ${name}`,
      };
    }),
  },
  {
    rule: "lag-high",
    area: "lag",
    severity: "warning",
    makes: "degraded",
    wanted: `at most ${renderBytes(mostLagBytes)} behind`,
    find: ofNodes(({ name, lagBytes, lagMs }) => {
      if (lagBytes === null || lagBytes <= mostLagBytes) return null;
      const time = lagMs === null ? "" : `, at most ${renderDuration(lagMs)}`;
      return {
        found: `it is ${renderBytes(lagBytes)} behind${time}`,
        next: `castellan why ${name}`,
      };
    }),
  },
  {
    rule: "lag-unknown",
    area: "lag",
    severity: "unknown",
    makes: null,
    wanted: "its upstream's agent tells how far it is",
    find: ofNodes(({ upstream, role, isReceiving, lagBytes }, cluster) =>
      role === "standby" && isReceiving === true && lagBytes === null
        ? { found: `nobody tells how far ${upstream ?? "its upstream"} is`, next: upstream === null ? `castellan cluster show ${cluster.name}` : `systemctl status castellan-agent, on ${upstream}` } // prettier-ignore
        : null,
    ),
  },
  {
    rule: "wal-disk-full-soon",
    area: "slots",
    severity: "critical",
    makes: "degraded",
    wanted: `${littleFree * 100} % of the disk of the WAL are free, or it is not full within ${renderDuration(soonFullSeconds * 1000)}`,
    find: ofNodes(({ walDisk }, { name }) => {
      const seconds = walDisk?.secondsToFull ?? null;
      if (walDisk === null || seconds === null || seconds > soonFullSeconds) return null;
      if (walDisk.freeBytes > littleFree * walDisk.totalBytes) return null;
      return {
        found: `the disk of ${walDisk.directory} has ${renderBytes(walDisk.freeBytes)} free and is full in ${renderDuration(seconds * 1000)}, as it fills now`,
        next: `castellan slot list ${name}`,
      };
    }),
  },
  {
    rule: "slot-near-budget",
    area: "slots",
    severity: "critical",
    makes: "degraded",
    wanted: `at most ${nearBudget * 100} % of its budget: at the end of it the slot is dropped`,
    alsoSaidBy: ["slot-retains-wal-over-budget"],
    find: ofNodes(({ slots }, cluster) => {
      const near = slots.flatMap(({ name, retainedBytes, budgetBytes }) =>
        retainedBytes !== null && budgetBytes !== null && retainedBytes >= nearBudget * budgetBytes
          ? [`${name} holds back ${renderBytes(retainedBytes)} of ${renderBytes(budgetBytes)}`]
          : [],
      );
      if (near.length === 0) return null;
      return { found: near.join("; "), next: `castellan slot list ${cluster.name}` };
    }),
  },
  {
    rule: "slot-idle",
    area: "slots",
    severity: "warning",
    makes: null,
    wanted: "a slot that holds back WAL is streamed through",
    alsoSaidBy: ["slot-retains-wal-for-nobody"],
    find: ofNodes(({ slots }, cluster) => {
      const idle = slots.flatMap(({ name, active, retainedBytes }) =>
        !active && (retainedBytes ?? 0) > idleBytes
          ? [`${name} holds back ${renderBytes(retainedBytes ?? 0)} for nobody who streams`]
          : [],
      );
      if (idle.length === 0) return null;
      return { found: idle.join("; "), next: `castellan slot list ${cluster.name}` };
    }),
  },
];
