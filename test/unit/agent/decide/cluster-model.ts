import { decide, guardStateWith, type GuardState } from "#agent/decide/decide.ts";
import { rules } from "#agent/decide/rules/table.ts";
import { noMarks, type GuardMarks, type GuardView } from "#agent/decide/view.ts";
import type { PeerSight, PoolSight } from "#shared/domain/cluster-view.ts";
import type { PoolRow } from "#shared/domain/facts.ts";
import type { GuardStep } from "#shared/domain/guard.ts";
import { peer, primary, threeNodes, view, walsender } from "./view-builder.ts";

/**
 * Three hosts on one wire, as far as the guard's table can tell them from real ones: a model, to try more stories than
 * real servers have time for. A step of a node takes effect before the next node looks.
 */
export type Host = {
  readonly name: string;
  readonly address: string;
  isOn: boolean;
  database: "running" | "stopped" | "dead";
  hasMarker: boolean;
  role: "primary" | "standby";
  timeline: number;
  position: number;
  /** Where it would stream from. */
  upstream: string;
  /** The look at which WAL came last, by a connection that nobody has ended since. */
  heardAt: number | null;
  hasVip: boolean;
  marks: GuardMarks;
  guard: GuardState;
};

export type Story = {
  readonly hosts: readonly Host[];
  /** `a b`, in alphabetical order. */
  readonly cut: Set<string>;
  readonly ordered: Ordered[];
  /** To whom the pools send what is written. */
  named: string;
  looks: number;
};
type Ordered = {
  readonly at: number;
  readonly node: string;
  readonly rule: string;
  readonly step: GuardStep;
  readonly seen: GuardView;
  /** Whatever its receiver says. */
  readonly isStreaming: boolean;
};

export type Event =
  | { readonly what: "kill" | "power-off" | "power-on" | "start"; readonly node: number }
  | { readonly what: "promote" | "promote-by-mistake" | "add-vip" | "delete-vip"; readonly node: number } // prettier-ignore
  | { readonly what: "cut" | "mend"; readonly node: number; readonly other: number };

const cluster = threeNodes();
const lookEveryMs = 2_000;
/** wal_receiver_timeout */
const receiverTimeoutMs = 60_000;

export function newStory(): Story {
  const hosts = cluster.nodes.map(({ name, address }, index): Host => ({
    name,
    address,
    isOn: true,
    database: "running",
    hasMarker: index > 0,
    role: index === 0 ? "primary" : "standby",
    timeline: 1,
    position: 0x5000000,
    upstream: "srv127",
    heardAt: null,
    hasVip: index === 0,
    marks: index === 0 ? { ...noMarks, wasPrimary: { at: 1, timeline: 1 } } : noMarks,
    guard: guardStateWith([]),
  }));
  return { hosts, cut: new Set(), ordered: [], named: "srv127", looks: 0 };
}

export function happen(story: Story, event: Event): void {
  const host = at(story, event.node);
  switch (event.what) {
    case "kill":
      if (host.database === "running") host.database = "dead";
      return;
    case "power-off":
      if (host.database === "running") host.database = "dead";
      host.isOn = false;
      host.hasVip = false;
      return;
    case "power-on":
      if (!host.isOn) fence(host);
      host.isOn = true;
      return;
    case "start":
      if (host.isOn && host.database !== "running") start(host);
      return;
    case "promote":
      // By a pool or a person, who does so while no primary runs.
      if (isStandby(host) && story.hosts.every((one) => !isPrimary(one))) promote(story, host);
      return;
    case "promote-by-mistake":
      // Whatever else runs, and with no word to a pool.
      if (isStandby(host)) promote(story, host);
      return;
    case "add-vip":
      host.hasVip = host.isOn;
      return;
    case "delete-vip":
      host.hasVip = false;
      return;
    case "cut":
      if (event.node !== event.other) story.cut.add(link(story, event.node, event.other));
      return;
    case "mend":
      story.cut.delete(link(story, event.node, event.other));
  }
}

/** Every host looks once, in turn, and does what its table says. */
export function lookAround(story: Story): void {
  story.looks += 1;
  const now = 1_000_000 + story.looks * lookEveryMs;
  // A pool keeps to its primary, and looks for another one only when that is gone.
  const primaries = story.hosts.filter(isPrimary);
  if (!primaries.some(({ name }) => name === story.named)) {
    story.named = primaries[0]?.name ?? story.named;
  }
  for (const host of story.hosts) {
    if (!host.isOn) continue;
    if (isPrimary(host)) {
      host.position += 0x100;
      host.marks = { ...host.marks, wasPrimary: { at: now, timeline: host.timeline } };
    }
    stream(story, host);
    const seen = viewOf(story, host, now);
    const decided = decide(host.guard, seen, now);
    host.guard = decided.state;
    for (const { rule: id } of decided.findings) {
      const rule = rules.find((one) => one.id === id);
      const steps = rule?.steps?.(seen, decided.state.memory) ?? [];
      // One that this very look does not show is not acted on.
      if (steps.length === 0 || decided.state.rules[id]?.against !== 0) continue;
      if (rule?.witness !== undefined && rule.witness(seen, decided.state.memory) === null)
        continue;
      for (const step of steps) {
        story.ordered.push({ at: story.looks, node: host.name, rule: id, step, seen, isStreaming: isStreaming(story, host) }); // prettier-ignore
        if (!take(story, host, step)) break;
      }
    }
  }
}

export function isPrimary(host: Host): boolean {
  return host.isOn && host.database === "running" && host.role === "primary";
}

function isStandby(host: Host): boolean {
  return host.isOn && host.database === "running" && host.role === "standby";
}

/** Whether WAL comes, as its receiver would tell. */
export function isStreaming(story: Story, host: Host): boolean {
  const source = story.hosts.find(({ name }) => name === host.upstream);
  return (
    source !== undefined &&
    isStandby(host) &&
    isPrimary(source) &&
    reaches(story, host, source) &&
    source.timeline >= host.timeline &&
    source.position >= host.position
  );
}

function reaches(story: Story, one: Host, other: Host): boolean {
  return one.isOn && other.isOn && !story.cut.has([one.name, other.name].toSorted().join(" "));
}

function viewOf(story: Story, host: Host, now: number): GuardView {
  const quietMs = host.heardAt === null ? null : (story.looks - host.heardAt) * lookEveryMs;
  const isRunning = host.database === "running";
  const followers = story.hosts.filter(
    (one) => one.upstream === host.name && isStreaming(story, one),
  );
  return view(
    primary({
      status: isRunning ? "running" : "stopped",
      role: isRunning ? host.role : null,
      postmasterPid: isRunning ? 100 : null,
      hasStandbyMarker: host.hasMarker,
      timeline: host.timeline,
      position: isRunning ? lsn(host.position) : null,
      receivedPosition: isRunning && host.role === "standby" ? lsn(host.position) : null,
      replication: isPrimary(host) ? followers.map(({ name }) => walsender(name)) : [],
      receiver:
        quietMs !== null
          ? { status: "streaming", slot: `slot_${host.name}`, conninfo: `host=${addressOf(story, host.upstream)}`, timeline: host.timeline } // prettier-ignore
          : null,
    }),
    {
      node: host.name,
      hasStalePid: host.database === "dead",
      messageAgeMs: quietMs,
      cluster,
      peers: story.hosts.filter((one) => one !== host).map((one) => sight(story, host, one, now)),
      pools: cluster.nodes.flatMap(({ name, pool }): PoolSight[] => {
        const place = story.hosts.find((one) => one.name === name);
        if (pool === null || place === undefined) return [];
        const answers = place === host || reaches(story, host, place);
        return [{ node: name, at: now, status: answers ? "answers" : "silent", rows: answers ? poolRows(story, place) : [], problem: null }]; // prettier-ignore
      }),
      marks: host.marks,
      rootHelperVerbs: ["vip-add", "vip-drop"],
      addresses: [host.address, ...(host.hasVip ? ["192.168.4.200"] : [])].map((address) => ({
        nic: "eth0",
        address,
        prefix: 24,
        family: "ipv4" as const,
      })),
    },
  );
}

function sight(story: Story, from: Host, to: Host, now: number): PeerSight {
  const nothing = { at: now, systemIdentifier: null, timeline: null, position: null, upstream: null, synchronousStandbyNames: null }; // prettier-ignore
  if (!reaches(story, from, to)) return peer(to.name, { ...nothing, database: "silent" });
  if (to.database !== "running") return peer(to.name, { ...nothing, database: "refused" });
  const followers = story.hosts.filter(
    (one) => one.upstream === to.name && isStreaming(story, one),
  );
  return peer(to.name, {
    at: now,
    database: to.role,
    timeline: to.timeline,
    position: lsn(to.position),
    upstream: isStreaming(story, to) ? addressOf(story, to.upstream) : null,
    streaming: to.role === "primary" ? followers.map(({ name }) => ({ applicationName: name, state: "streaming", syncState: "async", flushLsn: lsn(to.position) })) : [], // prettier-ignore
  });
}

/** A pool that shows what it reaches. */
function poolRows(story: Story, place: Host): PoolRow[] {
  return story.hosts.map((host, id) => {
    const isUp = host.database === "running" && (host === place || reaches(story, place, host));
    return { id, hostname: host.address, port: 54321, status: isUp ? "up" : "down", role: host.name === story.named ? "primary" : "standby", weight: 1 }; // prettier-ignore
  });
}

/** false: it failed, and what was to come after it is left. */
function take(story: Story, host: Host, step: GuardStep): boolean {
  switch (step.do) {
    case "drop-vip":
      host.hasVip = false;
      return true;
    case "add-vip":
      if (story.hosts.some((one) => one !== host && one.hasVip && reaches(story, host, one))) {
        return false;
      }
      host.hasVip = true;
      return true;
    case "stop-database":
      host.database = "stopped";
      return true;
    case "start-database":
      if (host.database !== "running") start(host);
      return true;
    case "write-standby-marker":
      host.hasMarker = true;
      return true;
    case "open-as-primary":
      host.hasMarker = false;
      host.marks = { ...host.marks, fencedAt: null };
      start(host);
      return true;
    case "repoint":
    case "rejoin": {
      const target = story.hosts.find(({ name }) => name === step.node);
      if (target === undefined || !isPrimary(target) || !reaches(story, host, target)) return false;
      if (step.do === "repoint" && host.position > target.position) return false;
      host.upstream = target.name;
      host.heardAt = null;
      host.hasMarker = true;
      if (step.do === "rejoin") {
        host.position = Math.min(host.position, target.position);
        host.marks = { ...host.marks, wasPrimary: null, fencedAt: null };
        start(host);
      }
      stream(story, host);
      return true;
    }
    case "offer-rebuild":
      host.marks = { ...host.marks, needsRebuild: { at: 1, because: step.because } };
      return true;
    case "synchronous":
    case "attach-backend":
    case "detach-backend":
    case "restart-pool":
      return true;
  }
}

/** What a server does with what lies in its directory. */
function start(host: Host): void {
  host.database = "running";
  host.role = host.hasMarker ? "standby" : "primary";
}

/** What the boot unit does before any server may start. */
function fence(host: Host): void {
  if (host.marks.wasPrimary === null || host.hasMarker) return;
  host.hasMarker = true;
  host.marks = { ...host.marks, fencedAt: 1 };
}

function promote(story: Story, host: Host): void {
  host.role = "primary";
  host.hasMarker = false;
  host.timeline = Math.max(...story.hosts.map(({ timeline }) => timeline)) + 1;
}

function stream(story: Story, host: Host): void {
  const source = story.hosts.find(({ name }) => name === host.upstream);
  if (source === undefined) return;
  if (isStreaming(story, host)) {
    host.heardAt = story.looks;
    host.position = source.position;
    host.timeline = source.timeline;
  } else if (reaches(story, host, source) || !isStandby(host) || isTimedOut(story, host)) {
    // Its end is heard of, unless nobody is there who could tell.
    host.heardAt = null;
  }
}

function isTimedOut({ looks }: Story, { heardAt }: Host): boolean {
  return heardAt !== null && (looks - heardAt) * lookEveryMs >= receiverTimeoutMs;
}

function at(story: Story, index: number): Host {
  const host = story.hosts[index];
  if (host === undefined) throw new RangeError(`no host ${index}`);
  return host;
}

function link(story: Story, one: number, other: number): string {
  return [at(story, one).name, at(story, other).name].toSorted().join(" ");
}

function addressOf(story: Story, name: string): string {
  return story.hosts.find((host) => host.name === name)?.address ?? name;
}

function lsn(position: number): string {
  return `0/${position.toString(16).toUpperCase()}`;
}
