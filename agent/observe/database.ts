import type { DatabaseFacts } from "#shared/domain/facts.ts";
import { greaterLsn } from "#shared/domain/lsn.ts";
import { asFailure, Failure, type FailureCode } from "#shared/errors.ts";
import type { Dialect } from "#shared/products/product.ts";
import { isStillAlive, type LocalProcess } from "../adapters/local-processes.ts";
import { fileSignature, resolvedPath } from "../adapters/local-system.ts";
import type { Ports } from "../ports.ts";
import { createSlotLook } from "../adapters/slot-directory.ts";
import { bornAt } from "../decide/slot-identity.ts";
import { createArchiveBacklog } from "./archive-backlog.ts";
import { controlData, type ControlData } from "./control-data.ts";
import { databaseOnDisk, type DatabaseOnDisk } from "./database-disk.ts";
import { askSettings, askSizes } from "./database-inventory.ts";
import {
  askStatus,
  askStatusInParts,
  streamParts,
  type SlotStatus,
  type StatusAnswer,
} from "./database-status.ts";
import { walDirectory } from "./host.ts";
import { timelineOnDisk } from "./wal-timeline.ts";
import { programVersions, type ProgramVersions } from "./program-versions.ts";

type DatabasePorts = Pick<Ports, "settings" | "product" | "clock" | "programs" | "databases">;

type DatabaseWant = {
  readonly fresh: boolean;
  readonly settings: boolean;
  /** Files that the server reads when it is asked for its settings. */
  readonly files?: readonly string[];
};

export type DatabaseObserver = {
  /** fresh: nothing from memory but the programs' versions; settings: a config file may have changed. */
  observe(want: DatabaseWant): Promise<DatabaseFacts>;
  /** Whether it says the same of its role and its streams as at the last look; false where it does not answer at once. */
  isAsBefore(): Promise<boolean>;
  /** A pid file names a process that is gone. */
  hasStalePid(): boolean;
  /** Since when nothing came from the upstream of this standby; null where no receiver runs. */
  messageAgeMs(): number | null;
};

/** Sizes walk every file of every database; settings are 350 rows made on the server. */
const inventoryEveryMs = 60_000;
const controlEveryMs = 300_000;
const diskEveryMs = 10_000;
/** A stopped or hanging server must not hold back what is known of files, pool and host. */
const answerWithinMs = 10_000;
const glanceWithinMs = 1_000;
/** How often it is looked, while a server is asked, whether it still lives. */
const deathEveryMs = 200;
/** A server that refuses the one big statement is asked again in this time whether it still does. */
const inPartsForMs = 600_000;

/** The server answered and didn't like the statement: its parts may still do. Anything else is about the session. */
const refusals: ReadonlySet<FailureCode> = new Set(["PROGRAM_FAILED", "REFUSED", "NOT_FOUND"]);

const absent: DatabaseFacts = {
  status: "absent",
  problem: null,
  postmasterPid: null,
  hasStandbyMarker: false,
  hasIncompleteMarker: false,
  role: null,
  systemIdentifier: null,
  timeline: null,
  versionText: null,
  versionNumber: null,
  clientVersionNumber: null,
  binaryVersionText: null,
  settings: {},
  pendingRestart: [],
  dataDirectory: null,
  configFile: null,
  hbaFile: null,
  identFile: null,
  position: null,
  receivedPosition: null,
  replication: [],
  slots: [],
  receiver: null,
  upstreamProblem: null,
  databases: [],
  tablespaces: [],
  extensions: [],
  clientSessions: 0,
  archiver: null,
};

/** The node's own database, over the one long-lived session; what one look can't tell stays as it was last seen. */
export function createDatabaseObserver(ports: DatabasePorts): DatabaseObserver {
  const { own } = ports.databases;
  const { dataDirectory } = ports.settings.paths;
  let last: DatabaseFacts = absent;
  let versions: ProgramVersions | null = null;
  let stalePid: number | null = null;
  let messageAgeMs: number | null = null;
  let seenDisk: { readonly at: number; readonly disk: DatabaseOnDisk } | null = null;
  /** Which server the remembered inventory and control data are about. */
  let seenServer = "";
  let inventoryAt = Number.NEGATIVE_INFINITY;
  let control: { readonly at: number; readonly about: string; readonly data: ControlData } | null =
    null;
  let resolved: { readonly answering: string; readonly isOurs: boolean } | null = null;
  let inPartsUntil = Number.NEGATIVE_INFINITY;
  const archive = createArchiveBacklog(ports);
  const seenSlots = new Map<string, number>();
  const slotsOnDisk = createSlotLook(dataDirectory, () => ports.clock.now());

  async function observe(want: DatabaseWant): Promise<DatabaseFacts> {
    // Programs that were missing may be installed meanwhile: asked again when everything is.
    if (versions === null || (want.fresh && versions.clientNumber === null)) {
      versions = await programVersions(ports);
    }
    const disk = await lookAtDisk(want.fresh);
    messageAgeMs = null;
    stalePid = disk.stalePid;
    const known = {
      hasStandbyMarker: disk.hasStandbyMarker,
      hasIncompleteMarker: disk.hasIncompleteMarker,
      postmasterPid: disk.postmaster?.pid ?? null,
      clientVersionNumber: versions.clientNumber,
      binaryVersionText: versions.serverText,
    };
    if (!disk.exists) last = { ...absent, ...known };
    else if (disk.postmaster === null) last = await stopped(known, disk, want.fresh);
    else {
      const answer = await unlessGone(disk.postmaster, running(known, disk, want));
      if (answer === null) return observe({ ...want, fresh: true });
      last = answer;
    }
    return last;
  }

  /** While the same postmaster lives its directory is there; only its markers may have changed. */
  async function lookAtDisk(fresh: boolean): Promise<DatabaseOnDisk> {
    const now = ports.clock.elapsedMs();
    if (seenDisk !== null && !fresh && now - seenDisk.at < diskEveryMs) {
      const { postmaster } = seenDisk.disk;
      if (postmaster !== null && isStillAlive(postmaster)) return seenDisk.disk;
    }
    const disk = await databaseOnDisk(ports.product, dataDirectory);
    seenDisk = { at: now, disk };
    return disk;
  }

  async function stopped(
    known: Partial<DatabaseFacts>,
    disk: DatabaseOnDisk,
    fresh: boolean,
  ): Promise<DatabaseFacts> {
    seenServer = "";
    const seen = await lookAtControlFile("stopped", fresh);
    const problem =
      disk.stalePid === null
        ? null
        : `the pid file names process ${disk.stalePid}, which is gone: the server ended without a clean stop`;
    return {
      ...absent,
      // Places and settings of a stopped server are those that it had; nothing else is still true.
      settings: last.settings,
      dataDirectory: last.dataDirectory,
      configFile: last.configFile,
      hbaFile: last.hbaFile,
      identFile: last.identFile,
      versionText: last.versionText,
      versionNumber: last.versionNumber,
      ...known,
      status: "stopped",
      problem,
      systemIdentifier: seen?.systemIdentifier ?? last.systemIdentifier,
      timeline: seen?.timeline ?? last.timeline,
    };
  }

  async function running(
    known: Partial<DatabaseFacts>,
    disk: DatabaseOnDisk,
    want: DatabaseWant,
  ): Promise<DatabaseFacts> {
    const server = `${disk.postmaster?.pid}/${disk.postmaster?.startTicks}`;
    const isNew = server !== seenServer;
    const dialect = ports.product.dialect(own.versionNumber ?? last.versionNumber ?? 0);
    let answer: StatusAnswer;
    try {
      answer = await ask(dialect);
    } catch (error) {
      const problem = asFailure(error).message;
      return { ...unreachable(problem), ...known, role: isNew ? null : last.role };
    }
    const problems = [...answer.problems];
    messageAgeMs = answer.messageAgeMs;
    const before = isNew ? absent : last;
    const { slots, archiver, ...status } = answer.status;
    const facts: DatabaseFacts = {
      ...before,
      ...known,
      status: "running",
      problem: null,
      ...status,
      slots: slots === undefined ? before.slots : await withTimes(slots),
      archiver:
        archiver == null
          ? before.archiver
          : { ...archiver, backlog: await archive.look(before.settings, want.fresh) },
      versionNumber: own.versionNumber ?? last.versionNumber,
    };
    const isDue = ports.clock.elapsedMs() - inventoryAt >= inventoryEveryMs;
    const all = want.fresh || isNew || isDue || facts.role !== last.role;
    const rare = {};
    // Whoever changed a file reloads soon: that is seen at the next look, not at the next inventory.
    const waits = facts.fileSettings?.some(({ state }) => state === "waits-for-reload") === true;
    if (all || want.settings || waits) {
      // Else a session would hang with each question.
      for (const file of want.files ?? []) await fileSignature(file).catch(() => null);
      const { inventory, problems: found } = await withinLimit(askSettings(own, dialect));
      Object.assign(rare, inventory);
      problems.push(...found);
    }
    if (all) {
      const { inventory, problems: found } = await askSizes(own, dialect);
      Object.assign(rare, inventory);
      problems.push(...found);
      inventoryAt = ports.clock.elapsedMs();
    }
    if (dialect.control === null) {
      const seen = await lookAtControlFile(`${server}/${facts.role}`, want.fresh);
      Object.assign(rare, {
        systemIdentifier: seen?.systemIdentifier ?? facts.systemIdentifier,
        timeline: Math.max(answer.status.timeline ?? 0, seen?.timeline ?? 0) || facts.timeline,
      });
    }
    // A promotion removes the standby's marker.
    if (facts.role !== last.role) seenDisk = null;
    seenServer = server;
    const found: DatabaseFacts = { ...facts, ...rare };
    const whole: DatabaseFacts = { ...found, timeline: await timelineOf(found) };
    const answering = whole.dataDirectory;
    if (answering !== null && !(await isOurDirectory(answering, isNew || want.fresh))) {
      const problem = `the server that answers works in ${answering}, not in ${dataDirectory}`;
      return { ...absent, ...known, status: "unreachable", problem };
    }
    return { ...whole, problem: problems.length === 0 ? null : problems.join("; ") };
  }

  /** A standby that receives nothing may have got WAL of a later timeline than its control file knows yet. */
  async function timelineOf(facts: DatabaseFacts): Promise<number | null> {
    const { position, receivedPosition, receiver, role, settings, timeline } = facts;
    const end = greaterLsn(receivedPosition, position);
    if (role !== "standby" || receiver !== null || end === null) return timeline;
    const wal = await walDirectory(dataDirectory);
    return Math.max(timeline ?? 0, await timelineOnDisk(wal, end, settings)) || null;
  }

  /** Under another name, it may be reached through a link: looked at when the server or its answer is another. */
  async function isOurDirectory(answering: string, again: boolean): Promise<boolean> {
    if (answering === dataDirectory) return true;
    if (again || resolved?.answering !== answering) {
      const [theirs, ours] = [await resolvedPath(answering), await resolvedPath(dataDirectory)];
      resolved = { answering, isOurs: theirs === ours };
    }
    return resolved.isOurs;
  }

  async function withTimes(slots: readonly SlotStatus[]): Promise<DatabaseFacts["slots"]> {
    const now = ports.clock.now();
    for (const name of seenSlots.keys()) {
      if (!slots.some((slot) => slot.name === name)) seenSlots.delete(name);
    }
    const identities = await slotsOnDisk(slots.map(({ name }) => name));
    return slots.map((slot) => {
      if (!seenSlots.has(slot.name)) seenSlots.set(slot.name, now);
      const identity = identities.get(slot.name) ?? null;
      const madeAt = identity === null ? null : bornAt(identity);
      return { ...slot, madeAt, seenAt: seenSlots.get(slot.name) ?? now };
    });
  }

  async function ask(dialect: Dialect): Promise<StatusAnswer> {
    if (ports.clock.elapsedMs() < inPartsUntil) return askStatusInParts(own, dialect);
    try {
      return await withinLimit(askStatus(own, dialect));
    } catch (error) {
      const failure = asFailure(error);
      if (!refusals.has(failure.code)) throw failure;
      const answer = await askStatusInParts(own, dialect);
      inPartsUntil = ports.clock.elapsedMs() + inPartsForMs;
      return answer;
    }
  }

  /** Runs a program: only when the server it is about changed, or every five minutes while one runs. */
  async function lookAtControlFile(about: string, fresh: boolean): Promise<ControlData | null> {
    const now = ports.clock.elapsedMs();
    const isOld = about !== "stopped" && control !== null && now - control.at >= controlEveryMs;
    if (control !== null && control.about === about && !isOld && !fresh) return control.data;
    const data = await controlData(ports);
    if (data !== null) control = { at: now, about, data };
    return data ?? control?.data ?? null;
  }

  /** What was seen of its streams would be told as if it were still so. */
  function unreachable(problem: string): DatabaseFacts {
    return {
      ...last,
      status: "unreachable",
      problem,
      replication: [],
      receiver: null,
      clientSessions: 0,
    };
  }

  async function isAsBefore(): Promise<boolean> {
    if (last.status !== "running" || own.versionNumber === null) return false;
    const answer = askStatus(own, ports.product.dialect(own.versionNumber), streamParts);
    const { status } = await withinLimit(answer, glanceWithinMs);
    return streamsOf(status) === streamsOf(last);
  }

  return {
    isAsBefore: () => isAsBefore().catch(() => false),
    observe: async (want) => {
      try {
        return await observe(want);
      } catch (error) {
        const { code, message } = asFailure(error);
        if (code !== "STALLED") throw error;
        last = unreachable(message);
        return last;
      }
    },
    hasStalePid: () => stalePid !== null,
    messageAgeMs: () => messageAgeMs,
  };
}

/** Without positions, which move with every write. */
function streamsOf({ role, replication, receiver }: StatusAnswer["status"]): string {
  const streams = replication?.map((row) => [row.applicationName, row.clientAddress, row.state, row.syncState]); // prettier-ignore
  return JSON.stringify([role, streams, receiver]);
}

/**
 * null: it died before it answered, and what is left of it may never answer. Up to version 14 a session that asks for
 * statistics waits ten seconds for a collector that has died with its server.
 */
async function unlessGone<T>(server: LocalProcess, answer: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const death = new Promise<null>((resolve) => {
    timer = setInterval(() => {
      if (!isStillAlive(server)) resolve(null);
    }, deathEveryMs);
  });
  return firstOf(answer, death, () => clearInterval(timer));
}

/** Ends with Failure STALLED where there is no answer in time. */
async function withinLimit<T>(answer: Promise<T>, limitMs = answerWithinMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `the server gives no answer for ${limitMs / 1000} s`;
    timer = setTimeout(() => {
      reject(new Failure("STALLED", message, { retryable: true }));
    }, limitMs);
  });
  return firstOf(answer, late, () => clearTimeout(timer));
}

/** What comes later of an answer that is not waited for any more is nobody's. */
async function firstOf<T, U>(
  answer: Promise<T>,
  other: Promise<U>,
  end: () => void,
): Promise<T | U> {
  try {
    return await Promise.race([answer, other]);
  } finally {
    end();
    answer.catch(() => undefined);
  }
}
