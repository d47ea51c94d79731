import { createHash } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import {
  commentVendorLine,
  parseCron,
  printVendorLine,
  uncommentVendorLine,
  type VendorJob,
} from "#shared/config-files/cron-lines.ts";
import { appendLines, removeLines, splitLines } from "#shared/config-files/text-file.ts";
import { Failure } from "#shared/errors.ts";
import type { HelperSettings } from "./helper-settings.ts";
import { readRegular, removeFile, replaceFile, type Ownership } from "./trusted-files.ts";

type CronSettings = NonNullable<HelperSettings["cron"]>;
const mostBytes = 1024 * 1024;
const jobs: readonly VendorJob[] = ["network-rewind", "restart-cluster"];

export function readCron(cron: CronSettings): string {
  const found = readCronFile(cron.file);
  if (found === null) throw new Failure("RESOURCE_MISSING", `${cron.file} does not exist`);
  return found.content;
}

/** This node's own line, added if it is missing; one that somebody else wrote is never changed. */
export function installNodeLine(cron: CronSettings, state: string, commented: boolean): string {
  const found = readCronFile(cron.file);
  const content = found?.content ?? "";
  const wanted = commented ? "commented" : "active";
  const vendor = parseCron(content).vendor["network-rewind"];
  if (vendor.state === wanted) return `already ${wanted}`;
  const record = readInstalled(state);
  if (vendor.state === "missing") {
    const { user, folder } = cron;
    const line = printVendorLine({ job: "network-rewind", user, folder, commented }).trimEnd();
    if (content !== "" && !content.endsWith("\n")) {
      throw new Failure("REFUSED", `the last line of ${cron.file} has no newline: cron ignores it`);
    }
    saveState(state, installedName, { line, madeFile: found === null });
    writeCron(cron.file, found, appendLines(content, [line]));
    return `installed, ${wanted}`;
  }
  if (vendor.state === "duplicate" || record === null) {
    const where = vendor.lines.map(({ line }) => line).join(", ");
    throw new Failure(
      "REFUSED",
      `${cron.file} has a network_rewind.sh line that we did not write (line ${where}, ${vendor.state})`,
    );
  }
  const change = commented ? commentVendorLine : uncommentVendorLine;
  writeCron(cron.file, found, change(content, "network-rewind"));
  return `now ${wanted}`;
}

/** Takes out the line that we installed, commented or not by now; no other. */
export function removeNodeLine(cron: CronSettings, state: string): string {
  const record = readInstalled(state);
  if (record === null) return "nothing of ours";
  const found = readCronFile(cron.file);
  const ours = splitLines(found?.content ?? "").filter(
    (line) => bare(line.text) === bare(record.line),
  );
  if (found !== null && ours.length > 0) {
    const rest = removeLines(found.content, new Set(ours.map((line) => line.number)));
    if (rest === "" && record.madeFile) removeFile(cron.file);
    else writeCron(cron.file, found, rest);
  }
  removeFile(`${state}/${installedName}`);
  return ours.length > 0 ? "removed" : "was gone already";
}

/** Comments the vendor's two lines; the file as it was is kept for `cron-restore`. */
export function commentCron(cron: CronSettings, state: string): string {
  const found = readCronFile(cron.file);
  if (found === null) throw new Failure("RESOURCE_MISSING", `${cron.file} does not exist`);
  const active = jobs.filter((job) => hasActive(found.content, job));
  if (active.length === 0) return "already commented";
  const changed = active.reduce((text, job) => commentVendorLine(text, job), found.content);
  // At a second takeover (the vendor's start enables the lines again) what we commented before counts as active.
  const earlier = readTaken(state)?.jobs ?? [];
  const original = earlier.reduce((text, job) => uncommentVendorLine(text, job), found.content);
  saveState(state, takenName, {
    content: Buffer.from(original, "latin1").toString("base64"),
    hash: hashOf(changed),
    jobs: [...new Set([...earlier, ...active])],
  });
  writeCron(cron.file, found, changed);
  return `commented ${active.join(", ")}`;
}

/**
 * The file as it was before `cron-comment`, byte for byte; where other lines were edited since, only our `#` go. A line that
 * was installed after that, and so commented, becomes active like the others.
 */
export function restoreCron(cron: CronSettings, state: string): string {
  const taken = readTaken(state);
  if (taken === null) return activateInstalled(cron, state);
  const found = readCronFile(cron.file);
  if (found === null) throw new Failure("REFUSED", `${cron.file} is gone; it is not made again`);
  const same = hashOf(found.content) === taken.hash;
  if (!same) assertLinesAsTaken(cron.file, taken, found.content);
  const restored = same
    ? taken.content
    : taken.jobs.reduce((text, job) => uncommentVendorLine(text, job), found.content);
  writeCron(cron.file, found, restored);
  removeFile(`${state}/${takenName}`);
  return same ? "restored byte for byte" : "edited since: took our # from the vendor's lines only";
}

function activateInstalled(cron: CronSettings, state: string): string {
  const record = readInstalled(state);
  const lines = splitLines(readCronFile(cron.file)?.content ?? "");
  const isThere = record !== null && lines.some(({ text }) => bare(text) === bare(record.line));
  return isThere ? installNodeLine(cron, state, false) : "nothing of ours";
}

/** What somebody made of the vendor's line meanwhile is theirs: it is not what we are to make active. */
function assertLinesAsTaken(file: string, { content, jobs: ours }: Taken, now: string): void {
  for (const job of ours) {
    const [before, after] = [content, now].map((text) => vendorLines(text, job).map(bare));
    if (before?.join("\n") === after?.join("\n")) continue;
    throw new Failure("REFUSED", `${file} has another ${job} line than at the takeover: nothing was changed; put the line with - there, commented, or make it active by hand`, {
      evidence: [...(before ?? []).map((text) => `-${text}`), ...vendorLines(now, job).map((text) => `+${text}`)],
    }); // prettier-ignore
  }
}

function vendorLines(content: string, job: VendorJob): readonly string[] {
  const { lines, vendor } = parseCron(content);
  return vendor[job].lines.map(({ line }) => lines[line - 1]?.text ?? "");
}

/** Commented or not. */
function bare(line: string): string {
  return line.replace(/^[ \t#]*/, "").trimEnd();
}

/** Commented by us, and not given back yet. */
export function takenLines(state: string): readonly VendorJob[] {
  return readTaken(state)?.jobs ?? [];
}

function hasActive(content: string, job: VendorJob): boolean {
  return parseCron(content).vendor[job].lines.some((line) => line.hashes === 0);
}

type FoundCron = { readonly content: string; readonly owner: Ownership };

function readCronFile(file: string): FoundCron | null {
  let owner: Ownership | null = null;
  const content = readRegular(file, mostBytes, ({ uid, gid, mode }) => {
    owner = { uid, gid, mode: mode & 0o7777 };
  });
  return content === null || owner === null ? null : { content, owner };
}

function writeCron(file: string, found: FoundCron | null, content: string): void {
  if (content === found?.content) return;
  const asRoot = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o644 };
  replaceFile(file, content, found?.owner ?? asRoot);
}

const installedName = "cron-line-installed.json";
const takenName = "cron-taken.json";

function saveState(state: string, name: string, value: unknown): void {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  chmodSync(state, 0o700);
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mode: 0o600 };
  replaceFile(`${state}/${name}`, `${JSON.stringify(value)}\n`, owner);
}

function readState(state: string, name: string): Record<string, unknown> | null {
  const content = readRegular(`${state}/${name}`, 4 * mostBytes);
  if (content === null) return null;
  const value: unknown = JSON.parse(content);
  if (typeof value !== "object" || value === null) {
    throw new Failure("REFUSED", `${state}/${name} is damaged`);
  }
  return Object.fromEntries(Object.entries(value));
}

function readInstalled(
  state: string,
): { readonly line: string; readonly madeFile: boolean } | null {
  const value = readState(state, installedName);
  if (value === null) return null;
  if (typeof value["line"] !== "string") {
    throw new Failure("REFUSED", `${state}/${installedName} is damaged`);
  }
  return { line: value["line"], madeFile: value["madeFile"] === true };
}

type Taken = {
  readonly content: string;
  readonly hash: string;
  readonly jobs: readonly VendorJob[];
};

function readTaken(state: string): Taken | null {
  const value = readState(state, takenName);
  if (value === null) return null;
  const names: readonly unknown[] = Array.isArray(value["jobs"]) ? value["jobs"] : [];
  if (typeof value["content"] !== "string" || typeof value["hash"] !== "string") {
    throw new Failure("REFUSED", `${state}/${takenName} is damaged`);
  }
  return {
    content: Buffer.from(value["content"], "base64").toString("latin1"),
    hash: value["hash"],
    jobs: jobs.filter((job) => names.includes(job)),
  };
}

function hashOf(content: string): string {
  return createHash("sha256").update(content, "latin1").digest("hex");
}
