import { execa } from "execa";
import type { ExecResult } from "./host.ts";
import { descendants } from "./processes.ts";

export type RunOptions = {
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string | undefined;
  readonly cwd?: string | undefined;
  readonly reject?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
};

/** Runs one command to its end. When its time is up, it and everything it started is killed. */
export async function run(
  argv: readonly string[],
  { env, input, cwd, reject = true, timeoutMs = 60_000 }: RunOptions,
): Promise<ExecResult> {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error("nothing to run");
  const child = execa(file, args, {
    env,
    extendEnv: false,
    reject: false,
    ...(input === undefined ? { stdin: "ignore" as const } : { input }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    // nsenter does not pass signals on: the process behind it has to be killed itself.
    if (child.pid === undefined) return;
    for (const pid of [...descendants(child.pid), child.pid]) kill(pid);
  }, timeoutMs);
  const result = await child;
  clearTimeout(timer);
  const exitCode = result.exitCode ?? (result.signal === undefined ? 127 : 128);
  const answer = { stdout: result.stdout, stderr: result.stderr, exitCode };
  if (reject && (exitCode !== 0 || timedOut)) {
    const why = timedOut ? `did not end within ${timeoutMs} ms` : `ended with ${exitCode}`;
    throw new Error(
      `${argv.join(" ")} ${why}\n${answer.stderr}\n${answer.stdout}\n${result.failed ? (result.originalMessage ?? "") : ""}`.trim(),
    );
  }
  return answer;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself in between.
  }
}
