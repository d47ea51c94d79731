import { processesIn } from "../adapters/local-processes.ts";
import { readSmallFile } from "../adapters/local-system.ts";
import type { StepContext } from "../ports.ts";
import { findPostmaster } from "./postmaster.ts";
import { serverActivity } from "./server-start.ts";
import { watchProgress } from "./watch-progress.ts";

type StopContext = Pick<
  StepContext,
  "settings" | "product" | "programs" | "files" | "clock" | "signal"
>;

type Stop = {
  readonly dataDirectory: string;
  readonly stallMs: number;
  /** Whoever streams from it follows another one afterwards. */
  readonly leavesFollowers?: true;
};

/** Fast, in the site's way: sessions are ended, the data is flushed. Waits as long as there is progress. */
export async function stopServer(
  { dataDirectory, stallMs, leavesFollowers }: Stop,
  context: StopContext,
): Promise<void> {
  const { programs, settings, product } = context;
  const { start } = settings;
  const ctl = `${settings.paths.binDirectory}/${product.programs.ctl}`;
  let result =
    start.mode === "unit"
      ? await programs.run("/usr/bin/systemctl", ["--no-ask-password", "stop", start.unit])
      : null;
  // One that somebody started by hand is none of the unit's; and the control program signals whomever a pid file names.
  if ((await findPostmaster(dataDirectory, context)) !== null) {
    result = await programs.run(ctl, ["-D", dataDirectory, "-m", "fast", "-W", "stop"]);
  }
  if (result === null) return;
  const said = result.stderr.at(-1) ?? `exit code ${result.exitCode}`;
  await watchProgress(
    context,
    { stallMs, everyMs: 20, what: "the stop of the server" },
    async () => {
      const postmaster = await findPostmaster(dataDirectory, context);
      if (postmaster === null) return { state: "done", value: null };
      if (leavesFollowers === true) await endSenders(dataDirectory);
      const token = await serverActivity(postmaster.pid, null, context.files);
      return { state: "waiting", token, missing: `pid ${postmaster.pid} is still there (${said})` };
    },
  );
}

/** A server that stops waits for each follower to have just as much as it was sent: one that is ahead of it, for ever. */
async function endSenders(dataDirectory: string): Promise<void> {
  for (const pid of await processesIn(dataDirectory)) {
    const title = await readSmallFile(`/proc/${pid}/cmdline`, "utf8");
    if (title === null || !/wal ?sender/.test(title)) continue;
    try {
      process.kill(pid, "SIGTERM");
    } catch {
      // It has ended meanwhile.
    }
  }
}
