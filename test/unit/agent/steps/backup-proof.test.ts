import { expect, test } from "vitest";
import { assertIsOwnCopy } from "#agent/steps/backup-proof.ts";
import { copyMarkerFor, incompleteMarker } from "#shared/domain/names.ts";

const staged = { stagingDirectory: "/d.copy", dataDirectory: "/d" };
const mounted = { stagingDirectory: "/d", dataDirectory: "/d" };
const marker = { [copyMarkerFor("/d.copy")]: `{"operationId":"op-abcdefgh","generation":2}` };

type Case = {
  readonly place?: typeof staged;
  readonly tree?: string;
  readonly files: Readonly<Record<string, string>>;
};

function judged({ place = staged, tree = place.stagingDirectory, files }: Case): Promise<void> {
  const names = Object.keys(files)
    .filter((path) => path.startsWith(`${tree}/`))
    .map((path) => path.slice(tree.length + 1).split("/")[0] ?? "");
  const context = {
    operationId: "op-abcdefgh",
    files: {
      list: async () => [...new Set(names)],
      read: async (path: string) => {
        const text = files[path];
        return text === undefined ? null : { text };
      },
    },
  };
  return assertIsOwnCopy(place, tree, { generation: 2 }, context);
}

const label = "START WAL LOCATION: 0/2000028\nLABEL: castellan op-abcdefgh\n";
const ours: readonly [string, Case][] = [
  ["an empty directory", { files: {} }],
  [
    "a labelled copy",
    { files: { ...marker, "/d.copy/backup_label": label, "/d.copy/base/1": "" } },
  ],
  ["a copy that has only begun", { files: { ...marker, "/d.copy/pg_wal/x": "" } }],
  [
    "a copy whose job has ended",
    { files: { ...marker, "/d.copy/base/1": "", [`/d.copy/${incompleteMarker}`]: "" } },
  ],
  [
    "a copy on a mount point",
    { place: mounted, files: { "/d/backup_label": label, "/d/base/1": "" } },
  ],
  ["a tablespace", { tree: "/ts", files: { "/ts/PG_15_202209061/5/1": "" } }],
];
test.each(ours)("%s is ours", async (_, files) => {
  await expect(judged(files)).resolves.toBeUndefined();
});

const other = label.replace("abcdefgh", "zzzzzzzz");
const notOurs: readonly [string, Case][] = [
  ["a person's files", { files: { ...marker, "/d.copy/notes.txt": "" } }],
  [
    "another operation's copy",
    { files: { ...marker, "/d.copy/backup_label": other, "/d.copy/base/1": "" } },
  ],
  ["a copy without a marker beside it", { files: { "/d.copy/backup_label": label } }],
  [
    "another attempt's copy",
    {
      files: {
        [copyMarkerFor("/d.copy")]: `{"operationId":"op-abcdefgh","generation":1}`,
        "/d.copy/backup_label": label,
      },
    },
  ],
  [
    "a copy beside which a broken marker lies",
    { files: { [copyMarkerFor("/d.copy")]: "{", "/d.copy/backup_label": label } },
  ],
  [
    "a person's files on a mount point",
    { place: mounted, files: { "/d/base/1": "", "/d/PG_VERSION": "15" } },
  ],
  [
    "a person's file among a tablespace",
    { tree: "/ts", files: { "/ts/PG_15_202209061/5/1": "", "/ts/notes": "" } },
  ],
];
test.each(notOurs)("%s: left alone", async (_, files) => {
  await expect(judged(files)).rejects.toMatchObject({ code: "REFUSED" });
});
