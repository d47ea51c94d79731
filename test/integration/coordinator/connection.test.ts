import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openConnection } from "#coordinator/store/connection.ts";

test("a transaction that finds no more room says so, leaves nothing, and the next one works", () => {
  const folder = mkdtempSync(join(tmpdir(), "castellan-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const connection = openConnection(join(folder, "some.db"));
  connection.exec("CREATE TABLE t (text TEXT)");
  connection.get("PRAGMA max_page_count = 8");
  const insert = (bytes: number) => () => {
    for (let i = 0; i < 10; i += 1) connection.run("INSERT INTO t VALUES (?)", ["x".repeat(bytes)]);
  };
  expect(() => connection.transaction(insert(10_000))).toThrow(/disk is full/);
  expect(connection.all("SELECT * FROM t")).toEqual([]);
  connection.transaction(insert(10));
  expect(connection.all("SELECT * FROM t")).toHaveLength(10);
  connection.close();
});
