import { afterAll, beforeAll, expect, test } from "vitest";
import { rejoin } from "#agent/guard/steps/rejoin.ts";
import { writeStandbyMarker } from "#agent/guard/steps/write-standby-marker.ts";
import { createGuardBed, type GuardBed, type GuardHost } from "./guard-bed.ts";

let bed: GuardBed;
beforeAll(async () => {
  bed = await createGuardBed({ product: "postgresql" }, 36);
  const { cluster } = bed;
  await cluster.stop("srv129");
  await cluster.sql("srv127", "INSERT INTO ledger VALUES (2, 'on nobody else')");
  await cluster.stop("srv127", "immediate");
  await cluster.start("srv129");
  await bed.promote("srv129");
  const { host, paths } = cluster.node("srv127");
  await writeStandbyMarker({ do: "write-standby-marker" }, await bed.host("srv127"));
  await host.exec(["cp", "-a", paths.dataDir, `${paths.dataDir}.crashed`]);
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

/** Each stage's beginning and end; what lies between two of them is done again from the first. */
const cutPoints: readonly (readonly [effect: RegExp, time: number])[] = [
  [/^start guard-start/, 1],
  [/ kept$/, 1],
  [/^mode 701/, 1],
  [/ rewinding$/, 1],
  [/^start guard-rewind/, 1],
  [/ rewound$/, 1],
  [/^write .*auto.conf/, 1],
  [/^mode 700/, 1],
  [/^start guard-start/, 2],
  [/^note slot:/, 3],
  [/^forget rejoin/, 1],
  [/^mark rejoiningSince,/, 1],
];

test.each(cutPoints)(
  "cut off before %s (%i) it leaves no directory that opens, and goes on to its end",
  async (effect, time) => {
    await crashAgain();
    await expect(rejoin(toSrv129(), cut(await bed.host("srv127"), effect, time))).rejects.toThrow(
      CutOff,
    );
    expect(await wouldOpen()).toBe(false);
    const again = await bed.host("srv127");
    expect(await rejoin(toSrv129(), again)).toContain("follows srv129");
    expect(await bed.upstreamOf("srv127")).toBe("streams from srv129");
    expect(again.marks).toMatchObject({ rejoiningSince: null, needsRebuild: null });
  },
);

test("a rewind that is killed leaves a directory that nobody can start, and is offered a rebuild", async () => {
  await crashAgain();
  const host = await bed.host("srv127");
  const killing: GuardHost = {
    ...host,
    jobs: {
      ...host.jobs,
      start: async (job) => {
        const started = await host.jobs.start(job);
        if (job.name === "guard-rewind") process.kill(-started.pid, "SIGKILL");
        return started;
      },
    },
  };
  await expect(rejoin(toSrv129(), killing)).rejects.toThrow("pg_rewind was cut off");
  expect(host.marks.needsRebuild?.because).toContain("pg_rewind was cut off");
  expect(await wouldOpen()).toBe(false);
  await expect(bed.cluster.start("srv127")).rejects.toThrow();
  const { host: machine, paths } = bed.cluster.node("srv127");
  expect(await machine.readFile(paths.logFile)).toContain("has invalid permissions");
});

test("once it was made anew, what became of a rewind before says nothing any more", async () => {
  await crashAgain();
  const host = await bed.host("srv127");
  await host.mark({ needsRebuild: null });
  expect(await rejoin(toSrv129(), host)).toContain("follows srv129");
});

test("a directory that is locked is not touched where nobody knows how far its rewind came", async () => {
  await crashAgain();
  const { host: machine, paths } = bed.cluster.node("srv127");
  await machine.exec(["chmod", "701", paths.dataDir]);
  const host = await bed.host("srv127");
  await expect(rejoin(toSrv129(), host)).rejects.toThrow("locked by a rewind");
  expect(host.marks.needsRebuild).not.toBeNull();
});

function toSrv129() {
  const { address: host, port } = bed.cluster.node("srv129");
  return { do: "rejoin" as const, node: "srv129", host, port };
}

/** The old primary as the crash left it, with the guard's marker. */
async function crashAgain(): Promise<void> {
  const { cluster } = bed;
  const { host, paths } = cluster.node("srv127");
  if (await cluster.isRunning("srv127")) await cluster.stop("srv127", "immediate");
  await host.exec(["rm", "-rf", paths.dataDir]);
  await host.exec(["cp", "-a", `${paths.dataDir}.crashed`, paths.dataDir]);
}

/** As a primary, if somebody started it now. */
async function wouldOpen(): Promise<boolean> {
  const { host, paths } = bed.cluster.node("srv127");
  const { stdout } = await host.exec(["stat", "-c", "%a", paths.dataDir]);
  return stdout.trim() !== "701" && !host.exists(`${paths.dataDir}/standby.signal`);
}

class CutOff extends Error {}

/** The same host, whose agent is gone before the effect that this describes for the nth time. */
function cut(host: GuardHost, effect: RegExp, time: number): GuardHost {
  let times = 0;
  let isGone = false;
  const before = (what: string): void => {
    if (effect.test(what)) times += 1;
    isGone ||= times >= time;
    if (isGone) throw new CutOff(what);
  };
  const { files, ledger, jobs, mark } = host;
  return {
    ...host,
    mark: async (changed) => {
      before(`mark ${Object.keys(changed).join()}`);
      return mark(changed);
    },
    ledger: {
      ...ledger,
      put: async (key, entry) => {
        before(`note ${key} ${String(entry.facts["stage"])}`);
        return ledger.put(key, entry);
      },
      delete: async (key) => {
        before(`forget ${key}`);
        return ledger.delete(key);
      },
    },
    files: {
      ...files,
      replace: async (path, ...more) => {
        before(`write ${path}`);
        return files.replace(path, ...more);
      },
      remove: async (path) => {
        before(`remove ${path}`);
        return files.remove(path);
      },
      setAttributes: async (path, to) => {
        before(`mode ${to.mode.toString(8)} of ${path}`);
        return files.setAttributes(path, to);
      },
    },
    jobs: {
      ...jobs,
      start: async (job) => {
        before(`start ${job.name}`);
        return jobs.start(job);
      },
      remove: async (name) => {
        before(`forget ${name}`);
        return jobs.remove(name);
      },
    },
  };
}
