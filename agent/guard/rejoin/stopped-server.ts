import { greaterLsn } from "#shared/domain/lsn.ts";
import { Failure } from "#shared/errors.ts";
import { walDirectory } from "../../observe/host.ts";
import { historyOf } from "../new-primary.ts";
import type { GuardStepContext } from "../steps/step.ts";

/** What the control file of a stopped server says. */
export type StoppedServer = {
  readonly systemIdentifier: string;
  /** `shut down`, `shut down in recovery`, `in production` … */
  readonly state: string;
  readonly timeline: number;
  readonly checkpoint: string;
  /** As far as its WAL is known to go. */
  readonly end: string;
  readonly segmentBytes: number;
  /** Of its timeline; empty on timeline 1. */
  readonly history: string;
};

/** @throws Failure PROGRAM_FAILED where the control file can't be read */
export async function seeStopped(context: GuardStepContext): Promise<StoppedServer> {
  const { settings, product, programs } = context;
  const { binDirectory, dataDirectory } = settings.paths;
  const program = `${binDirectory}/${product.programs.controlData}`;
  const { stdout, stderr } = await programs.run(program, ["-D", dataDirectory], {
    env: { LC_ALL: "C" },
    timeoutMs: 30_000,
  });
  const field = (name: string): string => {
    const found = new RegExp(`^${name}:\\s+(.+?)\\s*$`, "m").exec(stdout)?.[1];
    if (found !== undefined) return found;
    throw new Failure("PROGRAM_FAILED", `${program} tells no "${name}"`, { evidence: stderr });
  };
  const checkpoint = field("Latest checkpoint location");
  const recoveryEnd = field("Minimum recovery ending location");
  const end = greaterLsn(checkpoint, recoveryEnd) ?? checkpoint;
  const timeline = Math.max(
    Number(field("Latest checkpoint's TimeLineID")),
    Number(field("Min recovery ending loc's timeline")),
  );
  return {
    systemIdentifier: field("Database system identifier"),
    state: field("Database cluster state"),
    timeline,
    checkpoint,
    end,
    segmentBytes: Number(field("Bytes per WAL segment")),
    history: (await historyOf(timeline, await walDirectory(dataDirectory))) ?? "",
  };
}

export function isCleanlyStopped({ state }: StoppedServer): boolean {
  return state === "shut down" || state === "shut down in recovery";
}
