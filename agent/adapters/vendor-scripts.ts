import { readdirSync } from "node:fs";
import { readProcFile } from "./local-processes.ts";

/** Public vendor script build B0290: what cron starts every minute, and what people call by hand. */
const scripts = ["network_rewind.sh", "restartcluster.sh"];
/** The kernel keeps 15 characters of a name; a script without an interpreter's line runs as its shell. */
const names: ReadonlySet<string> = new Set(scripts.map((script) => script.slice(0, 15)));
const shells: ReadonlySet<string> = new Set(["sh", "bash", "dash", "ksh", "zsh"]);

export type VendorScript = { readonly pid: number; readonly script: string };

/** The vendor's checks that run on this host now, whoever started them. An editor or a pager of one is none. */
export function runningVendorScripts(): readonly VendorScript[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    const name = readProcFile(`/proc/${entry}/comm`)?.trimEnd() ?? "";
    if (!names.has(name) && !shells.has(name)) return [];
    const words = (readProcFile(`/proc/${entry}/cmdline`) ?? "").split("\0");
    const script = scripts.find((file) => words.some((word) => runs(word, file)));
    return script === undefined ? [] : [{ pid: Number(entry), script }];
  });
}

/** The script's own path, or a shell's `-c` line that begins with it, as cron calls it. */
function runs(word: string, script: string): boolean {
  const [first = ""] = word.trim().split(/\s/);
  return first === script || first.endsWith(`/${script}`);
}
