import { expect, test } from "vitest";
import { overruledEdits } from "#agent/decide/overruled-edits.ts";
import type { FileFacts } from "#shared/domain/facts.ts";

const main = "/data/kingbase.conf";

function fileAt(path: string, maskedText: string, part: Partial<FileFacts> = {}): FileFacts {
  return {
    path,
    format: "server-conf",
    state: "present",
    hash: "new",
    owner: null,
    mode: null,
    modifiedAt: null,
    maskedText,
    ...part,
  };
}

const auto = (text: string) => fileAt("/data/kingbase.auto.conf", text, { format: "auto-conf" });
const included = (name: string, text: string) =>
  fileAt(`/data/conf.d/${name}`, text, { origin: "include-dir" });

function told(edited: FileFacts, before: string | null, ...others: readonly FileFacts[]) {
  const accepted = { hash: before === null ? null : "old", text: before };
  return overruledEdits(edited, accepted, main, [edited, ...others]);
}

test("an edit is told which line counts: a later one, one of an included file, or that of ALTER SYSTEM", () => {
  expect(told(fileAt(main, "port = 2\nport = 3\n"), "port = 3\n")).toEqual([
    `${main}:1: port has no effect, ${main}:2 sets it to 3`,
  ]);
  const folder = fileAt(main, "port = 2\ninclude_dir 'conf.d'\n");
  expect(told(folder, "", included("a.conf", "port = 3\n"))).toEqual([
    `${main}:1: port has no effect, /data/conf.d/a.conf:1 sets it to 3`,
  ]);
  expect(told(folder, "", included("a.conf", "port = 3\n"), auto("\nPORT = 4\n"))).toEqual([
    `${main}:1: port has no effect, /data/kingbase.auto.conf:2 sets it to 4`,
  ]);
});

test("a file that appears is an edit of all its lines", () => {
  const conf = fileAt(main, "include_dir 'conf.d'\n");
  const [a, b] = [included("a.conf", "port = 1\nfsync = on\n"), included("b.conf", "port = 2\n")];
  expect(told(a, null, conf, b)).toEqual([
    "/data/conf.d/a.conf:1: port has no effect, /data/conf.d/b.conf:1 sets it to 2",
  ]);
  expect(told(b, null, conf, a)).toEqual([]);
});

test("nothing is told of lines that were there before, of equal values, and of files that the server does not read", () => {
  const four = auto("port = 4\n");
  expect(told(fileAt(main, "fsync = on\nport = 2\n"), "port = 2\n", four)).toEqual([]);
  expect(told(fileAt(main, "port = 4\n"), "port = 2\n", four)).toEqual([]);
  const template = fileAt("/cluster/db/etc/kingbase.conf", "port = 2\n");
  expect(told(template, "", fileAt(main, ""), four)).toEqual([]);
});

test("what counts is not guessed: after the line comes a file that can't be read", () => {
  const conf = fileAt(main, "port = 2\nport = 3\ninclude 'a.conf'\n");
  const unreadable = { ...included("a.conf", ""), path: "/data/a.conf", maskedText: null };
  expect(told(conf, "", { ...unreadable, state: "unreadable" })).toEqual([]);
});
