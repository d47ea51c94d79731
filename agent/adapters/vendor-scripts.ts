import { readdirSync } from "node:fs";
import type { Clock } from "#shared/time.ts";
import { readProcFile } from "./local-processes.ts";

/** Public vendor script build B0290: what cron starts every minute, and what people call by hand. */
const scripts = ["network_rewind.sh", "restartcluster.sh"];
/** The kernel keeps 15 characters of a name; a script without an interpreter's line runs as its shell. */
const names: ReadonlySet<string> = new Set(scripts.map((script) => script.slice(0, 15)));
const shells: ReadonlySet<string> = new Set(["sh", "bash", "dash", "ksh", "zsh"]);

export type VendorScript = { readonly pid: number; readonly script: string };

/** The vendor's checks that run on this host now, whoever started them. An editor or a pager of one is none. */
export function runningVendorScripts(): readonly VendorScript[] {
  return processes().flatMap((pid) => (mayBeScript(pid) ? scriptOf(pid) : []));
}

/** Between fork and exec a process still has the name of who started it, cron for as long as it opens a session. */
const settledMs = 10_000;

/** The same for looks again and again: a host has hundreds of processes, which have been something else for long. */
export function createScriptLook(clock: Pick<Clock, "elapsedMs">): () => readonly VendorScript[] {
  let others: ReadonlyMap<string, number> = new Map();
  return () => {
    const now = clock.elapsedMs();
    const stillOthers = new Map<string, number>();
    const running = processes().flatMap((pid) => {
      const sinceMs = others.get(pid) ?? now;
      if (now - sinceMs < settledMs && mayBeScript(pid)) return scriptOf(pid);
      stillOthers.set(pid, sinceMs);
      return [];
    });
    others = stillOthers;
    return running;
  };
}

/** Only the names of processes begin with one (proc(5)). */
const lastDigit = "9".charCodeAt(0);

function processes(): readonly string[] {
  return readdirSync("/proc").filter((entry) => entry.charCodeAt(0) <= lastDigit);
}

function mayBeScript(pid: string): boolean {
  const name = readProcFile(`/proc/${pid}/comm`)?.trimEnd() ?? "";
  return names.has(name) || shells.has(name);
}

function scriptOf(pid: string): readonly VendorScript[] {
  const words = (readProcFile(`/proc/${pid}/cmdline`) ?? "").split("\0");
  const script = scripts.find((file) => words.some((word) => runs(word, file)));
  return script === undefined ? [] : [{ pid: Number(pid), script }];
}

/** The script's own path, or a shell's `-c` line that begins with it, as cron calls it. */
function runs(word: string, script: string): boolean {
  const [first = ""] = word.trim().split(/\s/);
  return first === script || first.endsWith(`/${script}`);
}
