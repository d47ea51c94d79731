import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  commentCron,
  installNodeLine,
  readCron,
  removeNodeLine,
  restoreCron,
} from "#agent/root-helper/cron-file.ts";
import { Failure } from "#shared/errors.ts";

let folder = "";
let state = "";
let cron = { file: "", user: "kingbase", folder: "/home/kingbase/cluster/ESHA/db/bin" };
const line = "*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh\n";
const poolLine =
  "*/1 * * * * root  /home/kingbase/cluster/ESHA/kingbasecluster/bin/restartcluster.sh\n";
/** A byte that is no UTF-8, a line of the product's backup script, and blanks that somebody likes. */
const others = "# \xb1\xb8\xb7\xdd\n30 2 * * *  kingbase   /home/kingbase/sys_backup.sh  \n";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "castellan-cron-"));
  state = join(folder, "state");
  cron = { ...cron, file: join(folder, "KINGBASECRON") };
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the node's own line is added, switched and taken out, and nothing else changes", () => {
  write(others);
  chmodSync(cron.file, 0o640);
  expect(installNodeLine(cron, state, true)).toBe("installed, commented");
  expect(read()).toBe(`${others}#${line}`);
  expect(installNodeLine(cron, state, true)).toBe("already commented");
  expect(installNodeLine(cron, state, false)).toBe("now active");
  expect(read()).toBe(others + line);
  expect(statSync(cron.file).mode & 0o777).toBe(0o640);
  expect(removeNodeLine(cron, state)).toBe("removed");
  expect(read()).toBe(others);
  expect(removeNodeLine(cron, state)).toBe("nothing of ours");
});

test("a file that we made goes with its only line", () => {
  expect(installNodeLine(cron, state, false)).toBe("installed, active");
  expect(statSync(cron.file).mode & 0o777).toBe(0o644);
  expect(removeNodeLine(cron, state)).toBe("removed");
  expect(existsSync(cron.file)).toBe(false);
});

test("a line of ours that the vendor's scripts commented twice is still found", () => {
  write(others);
  installNodeLine(cron, state, false);
  write(`${others}##${line}`);
  expect(removeNodeLine(cron, state)).toBe("removed");
  expect(read()).toBe(others);
});

test("a line that somebody else wrote is neither switched nor removed", () => {
  write(line + others);
  expect(() => installNodeLine(cron, state, true)).toThrow(/line that we did not write \(line 1/);
  expect(removeNodeLine(cron, state)).toBe("nothing of ours");
  expect(read()).toBe(line + others);
});

test("both vendor lines are commented, and given back byte for byte", () => {
  const before = line + others + poolLine;
  write(before);
  expect(commentCron(cron, state)).toBe("commented network-rewind, restart-cluster");
  expect(read()).toBe(`#${line}${others}#${poolLine}`);
  expect(commentCron(cron, state)).toBe("already commented");
  expect(restoreCron(cron, state)).toBe("restored byte for byte");
  expect(read()).toBe(before);
  expect(restoreCron(cron, state)).toBe("nothing of ours");
});

test("what a person added after the takeover survives the handback", () => {
  write(line);
  commentCron(cron, state);
  write(`#${line}${others}`);
  expect(restoreCron(cron, state)).toMatch(/edited since/);
  expect(read()).toBe(line + others);
});

test("a vendor line that somebody changed after the takeover is not made active, and nothing is overwritten", () => {
  write(line + poolLine);
  commentCron(cron, state);
  const moved = `#${line.replace("ESHA", "ESHB")}#${poolLine}`;
  for (const changed of [moved, `#${poolLine}`, `#${line}#${line}#${poolLine}`]) {
    write(changed);
    expect(() => restoreCron(cron, state)).toThrow(
      "has another network-rewind line than at the takeover: nothing was changed",
    );
    expect(read()).toBe(changed);
  }
  write(moved);
  expect(catchFailure(() => restoreCron(cron, state)).evidence).toEqual([
    "-*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh",
    "+#*/1 * * * * kingbase  /home/kingbase/cluster/ESHB/db/bin/network_rewind.sh",
  ]);
  write(`##${line}###${poolLine}`);
  expect(restoreCron(cron, state)).toMatch(/edited since/);
  expect(read()).toBe(line + poolLine);
});

test("the line of a node that was added after the takeover becomes active at the handback", () => {
  write(others);
  installNodeLine(cron, state, true);
  expect(restoreCron(cron, state)).toBe("now active");
  expect(read()).toBe(others + line);
  expect(restoreCron(cron, state)).toBe("already active");
  write(others);
  expect(restoreCron(cron, state)).toBe("nothing of ours");
  expect(read()).toBe(others);
});

test("a second takeover after the vendor's start keeps what was added in between", () => {
  write(line + poolLine);
  commentCron(cron, state);
  write(line + others + poolLine);
  expect(commentCron(cron, state)).toBe("commented network-rewind, restart-cluster");
  expect(restoreCron(cron, state)).toBe("restored byte for byte");
  expect(read()).toBe(line + others + poolLine);
});

test("a file without a last newline is not added to: cron would ignore our line's neighbour", () => {
  write(others.trimEnd());
  expect(() => installNodeLine(cron, state, true)).toThrow(/no newline/);
  expect(read()).toBe(others.trimEnd());
});

test("reading a file that is not there is told apart from an empty one", () => {
  expect(() => readCron(cron)).toThrow(/does not exist/);
  write("");
  expect(readCron(cron)).toBe("");
});

test("nothing half-written stays beside the cron file", () => {
  write(line);
  commentCron(cron, state);
  restoreCron(cron, state);
  expect(readdirSync(folder).toSorted()).toEqual(["KINGBASECRON", "state"]);
  expect(readdirSync(state)).toEqual([]);
});

function catchFailure(act: () => unknown): Failure {
  try {
    act();
  } catch (error) {
    if (error instanceof Failure) return error;
  }
  throw new Error("it did not fail");
}

function write(content: string): void {
  writeFileSync(cron.file, content, "latin1");
}

function read(): string {
  return readFileSync(cron.file, "latin1");
}
