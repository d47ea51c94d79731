import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { waitFor } from "../wait-for.ts";
import { faultUntil, type Fault } from "./fault.ts";

/**
 * Makes every fsync and fdatasync of a running process take longer, as a disk does that others keep busy: strace
 * holds the thread before the call. Its other calls are only a little slower, and what it starts is left alone.
 */
export async function slowFsync(pid: number, delayMs: number): Promise<Fault> {
  const calls = "fsync,fdatasync";
  // Each thread by its id, and not strace -f: what the process starts (a copy, a server) is not meant.
  const threads = readdirSync(`/proc/${pid}/task`).flatMap((thread) => ["-p", thread]);
  const argv = ["-qq", "-o", "/dev/null", "-e", `trace=${calls}`];
  const inject = ["-e", `inject=${calls}:delay_enter=${delayMs * 1000}`];
  const tracer = spawn("strace", [...argv, ...inject, ...threads], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  tracer.stderr.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  const ended = new Promise<void>((resolve, reject) => {
    tracer.once("error", reject);
    tracer.once("exit", () => resolve());
  });
  ended.catch(() => undefined);
  await waitFor(
    () => {
      if (tracer.exitCode !== null) throw new Error(`strace ended: ${said}`);
      return isTraced(pid);
    },
    { what: `strace to have hold of ${pid}` },
  );
  return faultUntil(async () => {
    tracer.kill("SIGTERM");
    await ended;
  });
}

function isTraced(pid: number): boolean {
  const tracer = /^TracerPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return tracer !== undefined && tracer !== "0";
}
