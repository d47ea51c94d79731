import { execa } from "execa";
import { Failure } from "#shared/errors.ts";
import { jsonMessage, type AlertMessage } from "./alert-message.ts";
import type { Sink, Told } from "./sink.ts";
import type { CommandSettings } from "./sink-settings.ts";

/** A sink that is a program of the site's: the alert as JSON on its standard input, no shell. */
export function createCommandSink(settings: CommandSettings): Sink {
  const { name, kind, minSeverity } = settings;
  return { name, kind, minSeverity, tell: (message, signal) => run(settings, message, signal), mostPerMinute: null, repeat: null }; // prettier-ignore
}

async function run(
  { argv, timeoutMs }: CommandSettings,
  message: AlertMessage,
  signal: AbortSignal,
): Promise<Told> {
  const [program, ...args] = argv;
  const subprocess = execa(program, args, {
    input: `${JSON.stringify(jsonMessage(message))}\n`,
    stdout: "ignore",
    stderr: "pipe",
    buffer: false,
    reject: false,
    // A group of its own: what it has started ends with it.
    detached: true,
    cleanup: false,
  });
  let stderr = "";
  subprocess.stderr.on("data", (chunk) => {
    stderr = `${stderr}${chunk}`.slice(-keptStderr);
  });
  const cutOff = new Promise<"too late" | "stopped">((resolve) => {
    const kill = (why: "too late" | "stopped"): void => {
      killGroup(subprocess.pid);
      resolve(why);
    };
    const timer = setTimeout(() => kill("too late"), timeoutMs);
    const stop = (): void => kill("stopped");
    signal.addEventListener("abort", stop, { once: true });
    void subprocess.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    });
  });
  const taken = new Promise<"taken">((resolve) => {
    subprocess.once("exit", (code) => {
      if (code !== 0) return;
      // What it has left running is its own matter, and may hold the pipe.
      subprocess.stderr.destroy();
      resolve("taken");
    });
  });
  // A grandchild that left the group may hold the pipe: the limit does not wait for it.
  const result = await Promise.race([taken, subprocess, cutOff]);
  if (result === "taken") return { status: "exit status 0", answer: "" };
  if (typeof result === "string") {
    const why = result === "stopped" ? "was stopped" : `has not ended within ${timeoutMs} ms; it was killed`; // prettier-ignore
    throw new Failure("SINK_UNREACHABLE", `${program} ${why}.`, { retryable: true });
  }
  const how =
    result.exitCode === undefined
      ? (result.signal ?? result.code ?? "it could not be started")
      : `exit status ${result.exitCode}`;
  throw new Failure("SINK_REFUSED", `${program} failed (${how}).`, {
    retryable: true,
    evidence: stderr === "" ? [] : stderr.trimEnd().split("\n").slice(-10),
  });
}

const keptStderr = 8_192;

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
