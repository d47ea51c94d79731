import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  confSourceOf,
  readServerConfFiles,
  type ServerConfFiles,
  mostIncludedFiles,
} from "#shared/config-files/server-conf-files.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { configText, runs } from "./fixture.ts";

const main = "/etc/pg/postgresql.conf";

/** A text, or the state of a file without one. */
type Told = string | { readonly state: FileFacts["state"] };

function factsOf(path: string, told: Told): FileFacts {
  return {
    path,
    format: "server-conf",
    ...(path === main ? {} : { origin: "include" }),
    state: typeof told === "string" ? "present" : told.state,
    hash: null,
    owner: null,
    mode: null,
    modifiedAt: null,
    maskedText: typeof told === "string" ? told : null,
  };
}

/** Of what an agent tells: whatever is named there is known. */
const read = (files: Readonly<Record<string, Told>>): ServerConfFiles =>
  readServerConfFiles(main, confSourceOf(Object.entries(files).map((file) => factsOf(...file))));

const absent = { state: "absent" } as const;

const places = ({ settings }: ServerConfFiles): Record<string, string> =>
  Object.fromEntries(
    [...settings].map(([name, e]) => [name, `${e.value} at ${e.file}:${e.line}:${e.column}`]),
  );

describe("the line that counts", () => {
  test("an include counts where it stands, relative to the file that includes it", () => {
    const found = read({
      [main]: "port = 1\ninclude 'sub/a.conf'\nfsync = on\nwork_mem = 1",
      "/etc/pg/sub/a.conf": "port = 2\nfsync = off\nInclude_If_Exists '../b.conf'\ninclude '/x/c'",
      "/etc/pg/b.conf": "work_mem = 2",
      "/x/c": "max_connections = 7",
    });
    expect(found.complaints).toEqual([]);
    expect(found.isWhole).toBe(true);
    expect(found.included).toEqual([
      { path: "/etc/pg/sub/a.conf", origin: "include" },
      { path: "/etc/pg/b.conf", origin: "include" },
      { path: "/x/c", origin: "include" },
    ]);
    expect(places(found)).toEqual({
      port: "2 at /etc/pg/sub/a.conf:1:1",
      fsync: `on at ${main}:3:1`,
      work_mem: `1 at ${main}:4:1`,
      max_connections: "7 at /x/c:1:1",
    });
  });

  test("a folder gives its *.conf files in the order of their bytes, hidden ones left out", () => {
    const found = read({
      [main]: "include_dir 'conf.d'",
      "/etc/pg/conf.d/b.conf": "x.who = 'b'",
      "/etc/pg/conf.d/B.conf": "x.who = 'B'",
      "/etc/pg/conf.d/10.conf": "x.who = '10'",
      "/etc/pg/conf.d/9.conf": "x.who = '9'",
      "/etc/pg/conf.d/中.conf": "x.who = 'zh'",
      "/etc/pg/conf.d/.hidden.conf": "x.who = 'no'",
      "/etc/pg/conf.d/.conf": "x.who = 'no'",
      "/etc/pg/conf.d/a.conf.bak": "x.who = 'no'",
      "/etc/pg/conf.d/deep/z.conf": "x.who = 'no'",
      "/etc/pg/conf.d/gone.conf": absent,
      "/etc/pg/conf.d/folder.conf": { state: "not-a-file" },
    });
    expect(found.folders).toEqual(["/etc/pg/conf.d"]);
    expect(found.included.map(({ path }) => path.replace(/.*\//, ""))).toEqual([
      "10.conf",
      "9.conf",
      "B.conf",
      "b.conf",
      "中.conf",
    ]);
    expect(found.isWhole).toBe(true);
    expect(found.settings.get("x.who")?.value).toBe("zh");
  });

  test("a path outside ASCII is asked for as text", () => {
    const found = read({
      [main]: "include '\u00e4\u00b8\u00ad.conf'",
      "/etc/pg/中.conf": "port = 1",
    });
    expect(found.settings.get("port")?.file).toBe("/etc/pg/中.conf");
  });
});

describe("what the server refuses is a complaint at the include", () => {
  test.each([
    ["include 'x.conf'", "/etc/pg/x.conf can't be opened"],
    ["include ''", "include names no file"],
    ["include_dir ' '", "include_dir names no file"],
    [
      "include './postgresql.conf'",
      "/etc/pg/postgresql.conf is included too deeply: files include each other",
    ],
  ])("%s", (line, message) => {
    const { complaints, settings, isWhole } = read({
      [main]: `port = 1\n  ${line}\n`,
      "/etc/pg/x.conf": absent,
    });
    expect(complaints).toMatchObject([{ file: main, line: 2, column: 3, message }]);
    expect([settings.size, isWhole]).toEqual([0, false]);
  });

  test("a file that may be missing is none", () => {
    const files = { [main]: "port = 1\ninclude_if_exists 'x.conf'", "/etc/pg/x.conf": absent };
    expect(read(files)).toMatchObject({ complaints: [], isWhole: true });
    expect(read(files).settings.get("port")?.line).toBe(1);
  });

  test("ten levels are followed, the eleventh is not", () => {
    const chain = (levels: number): Record<string, string> => {
      const files: Record<string, string> = { [main]: "include '1.conf'" };
      for (let level = 1; level < levels; level += 1) {
        files[`/etc/pg/${level}.conf`] = `include '${level + 1}.conf'`;
      }
      files[`/etc/pg/${levels}.conf`] = `port = ${levels}`;
      return files;
    };
    expect(read(chain(10)).settings.get("port")?.value).toBe("10");
    const tooDeep = read(chain(11));
    expect(tooDeep.settings.has("port")).toBe(false);
    expect(tooDeep.complaints).toMatchObject([{ file: "/etc/pg/10.conf", line: 1 }]);
  });
});

describe("nothing is said of what may be otherwise", () => {
  const lines = "port = 1\ninclude 'a.conf'\nfsync = on\n";
  test.each<readonly [string, Record<string, Told>]>([
    ["an included file that its agent can't read", { [main]: lines, "/etc/pg/a.conf": { state: "unreadable" } }], // prettier-ignore
    ["one that is too large to be read", { [main]: lines, "/etc/pg/a.conf": { state: "too-large" } }], // prettier-ignore
    ["one that the agent has not told of", { [main]: lines }],
    ["one that the server refuses", { [main]: lines, "/etc/pg/a.conf": "port 'x" }],
  ])("%s", (_what, files) => {
    const { settings, isWhole, complaints } = read(files);
    expect([...settings.keys()]).toEqual(["fsync"]);
    expect([isWhole, complaints]).toEqual([false, []]);
  });

  test("a main file that is not there, or refused", () => {
    expect(read({})).toMatchObject({ isWhole: false, complaints: [] });
    expect(read({ [main]: absent })).toMatchObject({ isWhole: false, complaints: [] });
    expect(read({ [main]: "port = 1\nfsync 'x" }).settings.size).toBe(0);
  });

  test("a folder of more files than are watched", () => {
    const files: Record<string, Told> = { [main]: "port = 1\ninclude_dir 'd'\nfsync = on" };
    for (let i = 1; i < mostIncludedFiles; i += 1) files[`/etc/pg/d/${i}.conf`] = "";
    expect(read(files).isWhole).toBe(true);
    files["/etc/pg/d/one-more.conf"] = "";
    expect(read(files).isWhole).toBe(false);
    expect([...read(files).settings.keys()]).toEqual(["fsync"]);
  });
});

test("of more includes than are watched the rest is left out, and that is said", () => {
  const names = Array.from({ length: mostIncludedFiles + 1 }, (_, i) => `/etc/pg/${i}.conf`);
  const lines = names.map((name) => `include '${name}'`).join("\n");
  const files = Object.fromEntries(names.map((name) => [name, ""]));
  const { included, isCut, isWhole } = read({ [main]: `port = 1\n${lines}`, ...files });
  expect([included.length, isCut, isWhole]).toEqual([mostIncludedFiles, true, false]);
});

test("files that unfold to more than can be read come to an end, and nothing is certain", () => {
  const two = (name: string): string => `include '${name}'\n`.repeat(8);
  const found = read({
    [main]: two("a.conf"),
    "/etc/pg/a.conf": two("b.conf"),
    "/etc/pg/b.conf": `port = 1\n${two("a.conf")}`,
  });
  expect(found.included).toHaveLength(2);
  expect([found.isWhole, found.settings.size]).toEqual([false, 0]);
});

test("any files are read without failing, however they include each other", () => {
  const include = fc.constantFrom(
    "include 'a.conf'",
    "include_dir 'd'",
    "include_dir '.'",
    "include_if_exists '../pg/d/b.conf'",
    "include 'missing'",
  );
  const text = fc
    .array(fc.oneof(configText, include), { maxLength: 5 })
    .map((pieces) => pieces.join("\n"));
  fc.assert(
    fc.property(text, text, text, (first, second, third) => {
      const files = { [main]: first, "/etc/pg/a.conf": second, "/etc/pg/d/b.conf": third };
      for (const [name, entry] of read(files).settings) {
        expect(entry).toMatchObject({ name, commentedOut: false });
        expect(Object.keys(files)).toContain(entry.file);
      }
    }),
    runs,
  );
});
