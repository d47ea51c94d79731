import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseHba } from "#shared/config-files/hba.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { parsePasswordHashes } from "#shared/config-files/password-hashes.ts";
import { parsePoolConf } from "#shared/config-files/pool-conf.ts";
import { semanticDiff } from "#shared/config-files/semantic-diff.ts";
import {
  effective,
  parseServerConf,
  removeParameter,
  setParameter,
} from "#shared/config-files/server-conf.ts";
import { printLines } from "#shared/config-files/text-file.ts";
import { projectRoot } from "#test/harness/project-root.ts";

/** The files of the packages that `npm test` installs: one that is missing fails the test, none is skipped. */
const packages: Readonly<Record<string, string>> = {
  "PostgreSQL 10": join(projectRoot(), "node_modules/postgres-10/native/share/postgresql"),
  "PostgreSQL 15": "/usr/share/postgresql/15",
  "PostgreSQL 18": join(projectRoot(), "node_modules/postgres-18/native/share/postgresql"),
  "pgpool 4.3": "/usr/share/pgpool2",
  "pgpool 4.3, /etc": "/etc/pgpool2",
};

const read = (from: string, name: string): Promise<string> =>
  readFile(join(packages[from] ?? "", name), "latin1");

test.each([
  ["PostgreSQL 10", "postgresql.conf.sample"],
  ["PostgreSQL 10", "recovery.conf.sample"],
  ["PostgreSQL 15", "postgresql.conf.sample"],
  ["PostgreSQL 18", "postgresql.conf.sample"],
  ["pgpool 4.3", "pgpool.conf"],
])("%s: %s is understood, edited and printed without losing a byte", async (from, name) => {
  const text = await read(from, name);
  const parse = (content: string) =>
    name === "pgpool.conf" ? parsePoolConf(content).conf : parseServerConf(content);
  expect(printLines(parse(text).lines)).toBe(text);
  expect(parse(text).complaints).toEqual([]);
  expect(parse(text).entries.length).toBeGreaterThan(10);
  expect(effective(parse(text)).has("castellan.test")).toBe(false);
  const grown = setParameter(text, "castellan.test", "a b");
  expect(semanticDiff(name === "pgpool.conf" ? "pool-conf" : "server-conf", text, grown)).toEqual([
    expect.objectContaining({ kind: "added", subject: "castellan.test", to: "a b" }),
  ]);
  expect(removeParameter(grown, "castellan.test")).toBe(text);
  expect(maskSecrets("server-conf", text)).toBe(text);
});

test.each([
  ["PostgreSQL 10", "pg_hba.conf.sample", 6],
  ["PostgreSQL 15", "pg_hba.conf.sample", 6],
  ["PostgreSQL 18", "pg_hba.conf.sample", 6],
  ["pgpool 4.3, /etc", "pool_hba.conf", 3],
])("%s: %s is understood and printed without losing a byte", async (from, name, rules) => {
  const text = await read(from, name);
  expect(printLines(parseHba(text).lines)).toBe(text);
  // As initdb fills in its placeholders.
  const filled = text.replaceAll(/@remove-line[a-z-]*@/g, "").replaceAll(/@auth[a-z]+@/g, "trust");
  const conf = parseHba(filled.replace(/^trust$/m, ""));
  expect(conf.complaints).toEqual([]);
  expect(conf.rules).toHaveLength(rules);
});

test("pgpool 4.3: pcp.conf names no user", async () => {
  const text = await read("pgpool 4.3, /etc", "pcp.conf");
  expect(parsePasswordHashes(text, "pcp.conf")).toMatchObject({ entries: [], complaints: [] });
});
