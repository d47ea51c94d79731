import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseServerConf } from "#shared/config-files/server-conf.ts";
import { foldSettingName } from "#shared/config-files/setting-line.ts";
import { startPostgres } from "../agent/postgres-server.ts";
import { mostly, samples, soupOf } from "./generated.ts";

const line = fc
  .tuple(
    mostly("| ", "\t|#|\f|\r"),
    mostly("ours.a|Ours.B|ours.c_1", "ours.\u00c4|ours .a|1a|a.b.c|ours.|ours"),
    mostly(" = |=| ", "|==| =\r|\t=\t| '"),
    mostly(
      `on|10|512MB|-1|+.5e3|0x1F|'a b'|'it''s'|''|a-b:c/d|a.b.c`,
      String.raw`1.5GB|0x|1e5|.|'\''|'a\\b'|'\101\n\t\q'|'ab\0cd'|'\303\244\400z'|'\18'|'open\'|a.b|/x|"x"|'#'|'|a b|'a' 'b'|1'a'|${"9".repeat(200)}|`,
    ),
    mostly("|# note", " # it's|\r|;| ,|\\|\f"),
  )
  .map((pieces) => pieces.join(""));
const soup = soupOf("a|1|'|\\|.|=|#|-|+|:| |\t|\r|e|ours.x|''|'a'|\\0|\\7|0x", 10);

type Row = { readonly index: number; readonly name: string | null; readonly value: string };

test("settings mean to us what they mean to PostgreSQL, and the same lines are refused", async () => {
  await using server = await startPostgres();
  const lines = samples(fc.oneof({ weight: 3, arbitrary: line }, soup));
  // One file for each: for its view the server gives a file up after the first error.
  const folder = join(server.dataDirectory, "generated");
  await mkdir(folder);
  for (const [index, text] of lines.entries()) {
    await writeFile(join(folder, `${index}.conf`), text, "latin1");
  }
  const includes = lines.map((_, index) => `include 'generated/${index}.conf'\n`).join("");
  await writeFile(join(server.dataDirectory, "postgresql.auto.conf"), includes);
  const rows = await server.sql(
    `SELECT json_agg(r) FROM (
      SELECT substring(sourcefile from '/generated/([0-9]+).conf$')::int AS index,
        encode(textsend(name), 'hex') AS name, encode(textsend(setting), 'hex') AS value
      FROM pg_file_settings WHERE sourcefile LIKE '%/generated/%') r`,
  );
  const theirs = new Map((JSON.parse(rows) as readonly Row[]).map((row) => [row.index, row]));
  const meanings = lines.map((_, index) => meaningShown(theirs.get(index)));
  expect(meanings.filter((meaning) => meaning.startsWith("ours")).length).toBeGreaterThan(
    lines.length / 3,
  );
  for (const [index, text] of lines.entries()) {
    expect(meaningOf(text), JSON.stringify(text)).toBe(meanings[index]);
  }
});

function meaningOf(text: string): string {
  const { entries, complaints } = parseServerConf(text);
  if (complaints.length > 0) return "refused";
  const entry = entries.find(({ commentedOut }) => !commentedOut);
  return entry === undefined ? "nothing" : `${entry.name} = ${entry.value}`;
}

function meaningShown(row: Row | undefined): string {
  if (row === undefined) return "nothing";
  if (row.name === null) return "refused";
  return `${foldSettingName(fromHex(row.name))} = ${fromHex(row.value)}`;
}

function fromHex(text: string): string {
  return Buffer.from(text, "hex").toString("latin1");
}
