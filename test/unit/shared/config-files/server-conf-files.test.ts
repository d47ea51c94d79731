import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ConfSource,
  readServerConfFiles,
  type ServerConfFiles,
} from "#shared/config-files/server-conf-files.ts";
import { configText, runs } from "./fixture.ts";

const main = "/etc/pg/postgresql.conf";
const auto = "/data/postgresql.auto.conf";

function sourceOf(files: Readonly<Record<string, string>>): ConfSource {
  return {
    read: async (path) => files[path] ?? null,
    list: async (folder) => {
      const names = Object.keys(files).flatMap((path) =>
        path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : [],
      );
      return names.length === 0 ? null : names.filter((name) => !name.includes("/"));
    },
  };
}

const read = (files: Readonly<Record<string, string>>): Promise<ServerConfFiles> =>
  readServerConfFiles({ main, auto }, sourceOf(files));

const places = ({ settings }: ServerConfFiles): Record<string, string> =>
  Object.fromEntries(
    [...settings].map(([name, e]) => [name, `${e.value} at ${e.file}:${e.line}:${e.column}`]),
  );

describe("the line that counts", () => {
  test("an include counts where it stands, relative to the file that includes it", async () => {
    const found = await read({
      [main]: "port = 1\ninclude 'sub/a.conf'\nfsync = on\nwork_mem = 1",
      "/etc/pg/sub/a.conf": "port = 2\nfsync = off\nInclude_If_Exists '../b.conf'\ninclude '/x/c'",
      "/etc/pg/b.conf": "work_mem = 2",
      "/x/c": "max_connections = 7",
    });
    expect(found.complaints).toEqual([]);
    expect(found.files.map(({ file }) => file)).toEqual([
      main,
      "/etc/pg/sub/a.conf",
      "/etc/pg/b.conf",
      "/x/c",
    ]);
    expect(places(found)).toEqual({
      port: "2 at /etc/pg/sub/a.conf:1:1",
      fsync: `on at ${main}:3:1`,
      work_mem: `1 at ${main}:4:1`,
      max_connections: "7 at /x/c:1:1",
    });
  });

  test("*.auto.conf comes last, and the lines it takes away are named with it", async () => {
    const found = await read({
      [main]: "port = 1\nPORT = 2\n#port = 9\nfsync = on",
      [auto]: "Port = 3",
    });
    expect(places(found)["port"]).toBe(`3 at ${auto}:1:1`);
    expect(
      found.overruled.map(
        ({ entry, by }) => `${entry.file}:${entry.line} by ${by.file}:${by.line}`,
      ),
    ).toEqual([`${main}:1 by ${auto}:1`, `${main}:2 by ${auto}:1`]);
  });

  test("a folder gives its *.conf files in the order of their bytes, hidden ones left out", async () => {
    const found = await read({
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
    });
    expect(found.files.map(({ file }) => file.replace(/.*\//, ""))).toEqual([
      "postgresql.conf",
      "10.conf",
      "9.conf",
      "B.conf",
      "b.conf",
      "中.conf",
    ]);
    expect(found.settings.get("x.who")?.value).toBe("zh");
  });

  test("a path outside ASCII is asked for as text", async () => {
    const found = await read({
      [main]: "include '\u00e4\u00b8\u00ad.conf'",
      "/etc/pg/中.conf": "port = 1",
    });
    expect(found.settings.get("port")?.file).toBe("/etc/pg/中.conf");
  });
});

describe("what the server refuses is a complaint at the include", () => {
  test.each([
    ["include 'x.conf'", "/etc/pg/x.conf can't be opened"],
    ["include_dir 'x'", "/etc/pg/x can't be opened"],
    ["include ''", "include names no file"],
    ["include_dir ' '", "include_dir names no file"],
    [
      "include './postgresql.conf'",
      "/etc/pg/postgresql.conf is included too deeply: files include each other",
    ],
  ])("%s", async (line, message) => {
    const { complaints } = await read({ [main]: `port = 1\n  ${line}\n` });
    expect(complaints).toMatchObject([{ file: main, line: 2, column: 3, message }]);
  });

  test("a file that may be missing is none, nor is a missing *.auto.conf", async () => {
    expect((await read({ [main]: "include_if_exists 'x.conf'" })).complaints).toEqual([]);
  });

  test("without the main file there is nothing", async () => {
    expect(await read({})).toMatchObject({
      files: [],
      complaints: [{ file: main, line: 1, message: "can't be opened" }],
    });
  });

  test("ten levels are followed, the eleventh is not", async () => {
    const chain = (levels: number): Record<string, string> => {
      const files: Record<string, string> = { [main]: "include '1.conf'" };
      for (let level = 1; level < levels; level += 1) {
        files[`/etc/pg/${level}.conf`] = `include '${level + 1}.conf'`;
      }
      files[`/etc/pg/${levels}.conf`] = `port = ${levels}`;
      return files;
    };
    expect((await read(chain(10))).settings.get("port")?.value).toBe("10");
    const tooDeep = await read(chain(11));
    expect(tooDeep.settings.has("port")).toBe(false);
    expect(tooDeep.complaints).toMatchObject([{ file: "/etc/pg/10.conf", line: 1 }]);
  });

  test("a broken line of an included file is complained about once, with its own place", async () => {
    const { complaints } = await read({
      [main]: "include 'a.conf'\ninclude 'a.conf'\n",
      "/etc/pg/a.conf": "port 'x",
    });
    expect(complaints).toMatchObject([{ file: "/etc/pg/a.conf", line: 1, column: 6 }]);
  });
});

test("files that unfold to more than can be read come to an end, and that is said", async () => {
  const two = (name: string): string => `include '${name}'\n`.repeat(8);
  const found = await read({
    [main]: two("a.conf"),
    "/etc/pg/a.conf": two("b.conf"),
    "/etc/pg/b.conf": two("a.conf"),
  });
  expect(found.files).toHaveLength(1000);
  expect(found.complaints.at(-1)?.message).toContain("more than 1000 files");
});

test("any files are read without failing, however they include each other", async () => {
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
  await fc.assert(
    fc.asyncProperty(text, text, text, async (first, second, third) => {
      const found = await read({
        [main]: first,
        "/etc/pg/a.conf": second,
        "/etc/pg/d/b.conf": third,
      });
      for (const { entry, by } of found.overruled) {
        expect(found.settings.get(entry.name)).toBe(by);
      }
    }),
    runs,
  );
});
