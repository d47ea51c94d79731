import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { confSourceOf, readServerConfFiles } from "#shared/config-files/server-conf-files.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { startPostgres } from "../agent/postgres-server.ts";

const main = "postgresql.auto.conf";

/** `1.conf` includes `2.conf`, and so on. */
function chain(levels: number): Readonly<Record<string, string>> {
  const files: [string, string][] = Array.from({ length: levels - 1 }, (_, index) => [
    `${index + 1}.conf`,
    `include '${index + 2}.conf'\n`,
  ]);
  return Object.fromEntries([...files, [`${levels}.conf`, "ours.deep = on\n"]]);
}

type Layout = {
  readonly what: string;
  readonly main: string;
  readonly files: Readonly<Record<string, string>>;
  readonly isRefused?: true;
};

const layouts: readonly Layout[] = [
  {
    what: "included where it stands, relative to whoever includes it, by whatever name",
    main: "ours.a = 1\nours.b = 1\nInclude 'sub/x.conf'\nours.b = 2\ninclude_if_exists 'none.conf'\n",
    files: {
      "sub/x.conf": "ours.a = 2\ninclude = '../it''s b.conf' # ours\ninclude '../x/./y.conf'\n",
      "it's b.conf": "ours.c = 3\n",
      "x/y.conf": "ours.c = 4\nOURS.D = 5\n",
    },
  },
  {
    what: "the files of a folder in the order of their bytes",
    main: "include_dir 'conf.d/'\nours.last = 1\n",
    files: {
      "conf.d/9.conf": "ours.a = 9\nours.last = 9\n",
      "conf.d/10.conf": "ours.a = 10\n",
      "conf.d/B.conf": "ours.b = 'B'\n",
      "conf.d/b.conf": "ours.b = 'b'\n",
      "conf.d/\u4e2d.conf": "ours.c = 'zh'\n",
      "conf.d/z.conf": "ours.c = 'z'\n",
      "conf.d/.z.conf": "ours.hidden = 1\n",
      "conf.d/z.conf.bak": "ours.backup = 1\n",
      "conf.d/deep.conf/z.conf": "ours.deep = 1\n",
    },
  },
  {
    what: "one file twice",
    main: "include 'a.conf'\nours.a = 2\ninclude 'a.conf'\n",
    files: { "a.conf": "ours.a = 1\n" },
  },
  { what: "ten levels", main: "include '1.conf'\n", files: chain(10) },
  { what: "eleven levels", main: "include '1.conf'\n", files: chain(11), isRefused: true },
  {
    what: "a circle",
    main: "include 'a.conf'\n",
    files: { "a.conf": "ours.a = 1\ninclude 'b.conf'\n", "b.conf": "include 'a.conf'\n" },
    isRefused: true,
  },
  { what: "no such file", main: "ours.a = 1\ninclude 'none.conf'\n", files: {}, isRefused: true },
  { what: "no name", main: "ours.a = 1\ninclude ''\n", files: {}, isRefused: true },
];

test("the line that counts is the one that PostgreSQL takes, in whichever file it stands", async () => {
  await using server = await startPostgres();
  for (const [index, layout] of layouts.entries()) {
    const folder = join(server.dataDirectory, `layout${index}`);
    for (const [name, text] of Object.entries(layout.files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    const mainText = layout.main.replace(/^(include\w*) '(?=[^'])/gim, `$1 '${folder}/`);
    await writeFile(join(server.dataDirectory, main), mainText);
    const rows = await server.sql(
      `SELECT json_agg(json_build_object('name', lower(name), 'place', sourcefile || ':' || sourceline,
        'value', setting, 'error', error) ORDER BY seqno)
      FROM pg_file_settings WHERE name ILIKE 'ours.%' OR error IS NOT NULL`,
    );
    const theirs = JSON.parse(rows || "[]") as readonly Row[];
    const path = join(server.dataDirectory, main);
    const told = { [path]: mainText, ...inFolder(folder, { ...layout.files, "none.conf": null }) };
    const ours = readServerConfFiles(path, confSourceOf(Object.entries(told).map(factsOf)));
    expect(
      theirs.some(({ error }) => error !== null),
      layout.what,
    ).toBe(layout.isRefused === true);
    if (layout.isRefused) {
      expect(ours.complaints, layout.what).toHaveLength(1);
      continue;
    }
    expect(ours, layout.what).toMatchObject({ complaints: [], isWhole: true });
    expect(
      Object.fromEntries(
        [...ours.settings].map(([name, e]) => [name, `${e.value} at ${e.file}:${e.line}`]),
      ),
      layout.what,
    ).toEqual(
      Object.fromEntries(theirs.map(({ name, place, value }) => [name, `${value} at ${place}`])),
    );
  }
});

/** Null: there is no such file. */
type Told = Readonly<Record<string, string | null>>;

type Row = { name: string; place: string; value: string; error: string | null };

function inFolder(folder: string, files: Told): Told {
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [join(folder, name), text]),
  );
}

function factsOf([path, maskedText]: readonly [string, string | null]): FileFacts {
  return {
    path,
    format: "server-conf",
    state: maskedText === null ? "absent" : "present",
    hash: null,
    owner: null,
    mode: null,
    modifiedAt: null,
    maskedText,
  };
}
