import type { StepContext } from "../ports.ts";
import { findPostmaster } from "./postmaster.ts";
import { serverActivity } from "./server-start.ts";
import { watchProgress } from "./watch-progress.ts";

type StopContext = Pick<
  StepContext,
  "settings" | "product" | "programs" | "files" | "clock" | "signal"
>;

/** Fast, in the site's way: sessions are ended, the data is flushed. Waits as long as there is progress. */
export async function stopServer(
  { dataDirectory, stallMs }: { readonly dataDirectory: string; readonly stallMs: number },
  context: StopContext,
): Promise<void> {
  const { programs, settings, product } = context;
  const { start } = settings;
  const ctl = `${settings.paths.binDirectory}/${product.programs.ctl}`;
  let result =
    start.mode === "unit"
      ? await programs.run("/usr/bin/systemctl", ["--no-ask-password", "stop", start.unit])
      : null;
  // One that somebody started by hand is none of the unit's.
  if (result === null || (await findPostmaster(dataDirectory, context)) !== null) {
    result = await programs.run(ctl, ["-D", dataDirectory, "-m", "fast", "-W", "stop"]);
  }
  await watchProgress(
    context,
    { stallMs, everyMs: 20, what: "the stop of the server" },
    async () => {
      const postmaster = await findPostmaster(dataDirectory, context);
      if (postmaster === null) return { state: "done", value: null };
      const token = await serverActivity(postmaster.pid, null, context.files);
      const said = result.stderr.at(-1) ?? `exit code ${result.exitCode}`;
      return { state: "waiting", token, missing: `pid ${postmaster.pid} is still there (${said})` };
    },
  );
}
