import { expect, test } from "vitest";
import {
  settingsNotInForce,
  type RunningSetting,
  type SettingLine,
} from "#agent/decide/file-settings.ts";

const conf = "/data/postgresql.conf";
const auto = "/data/postgresql.auto.conf";

function line(
  name: string | null,
  value: string | null,
  change: Partial<SettingLine> = {},
): SettingLine {
  return { name, value, file: conf, line: 3, order: 1, error: null, ...change };
}
function running(
  name: string,
  value: string,
  change: Partial<RunningSetting> = {},
): RunningSetting {
  return {
    name,
    value,
    unit: null,
    vartype: "integer",
    context: "sighup",
    source: "configuration file",
    file: conf,
    line: 3,
    least: null,
    most: null,
    waitsForRestart: false,
    ...change,
  };
}
const judge = (lines: readonly SettingLine[], settings: readonly RunningSetting[]) =>
  settingsNotInForce(lines, settings, 150_000).map(({ name, state, inFile, inForce }) => [name, state, inFile, inForce]); // prettier-ignore

test("what is written in another way is in force", () => {
  const kB = { unit: "8kB" };
  expect(
    judge([line("shared_buffers", "128MB")], [running("shared_buffers", "16384", kB)]),
  ).toEqual([]);
  const bool = { vartype: "bool" };
  expect(judge([line("fsync", "yes")], [running("fsync", "on", bool)])).toEqual([]);
});

test("a value that the server does not use yet waits for a reload", () => {
  const found = judge([line("wal_keep_size", "2")], [running("wal_keep_size", "1")]);
  expect(found).toEqual([["wal_keep_size", "waits-for-reload", "2", "1"]]);
  const default_ = { source: "default", file: null, line: null };
  expect(judge([line("wal_keep_size", "2")], [running("wal_keep_size", "0", default_)])).toEqual([
    ["wal_keep_size", "waits-for-reload", "2", "0"],
  ]);
});

test.each([
  ["4096", { unit: "kB" }, "9MB", "4MB"],
  ["16384", { unit: "8kB" }, "1GB", "128MB"],
  ["4100", { unit: "kB" }, "9MB", "4100kB"],
  ["1440", { unit: "min" }, "1h", "1d"],
  ["0.5", { unit: "ms", vartype: "real" }, "1ms", "500us"],
  ["0", { unit: "kB" }, "9MB", "0"],
  ["-1", { unit: "ms" }, "9s", "-1"],
  ["100", {}, "200", "100"],
] as const)("in force %s of %o is told as a person writes it", (value, kind, inFile, inForce) => {
  const setting = running("some_setting", value, kind);
  expect(judge([line("some_setting", inFile)], [setting])).toEqual([["some_setting", "waits-for-reload", inFile, inForce]]); // prettier-ignore
  expect(judge([], [setting])).toEqual([["some_setting", "waits-for-reload", null, inForce]]);
});

test("a value that only a start takes waits for a restart; one that no start would take is broken", () => {
  const start = { context: "postmaster", least: "1", most: "262143" };
  const error = { error: "setting could not be applied" };
  const judged = (value: string) => judge([line("max_connections", value, error)], [running("max_connections", "100", start)]); // prettier-ignore
  expect(judged("200")).toEqual([["max_connections", "waits-for-restart", "200", "100"]]);
  expect(judged("many")).toEqual([["max_connections", "broken", "many", "100"]]);
  expect(judged("300000")).toEqual([["max_connections", "broken", "300000", "100"]]);
  const pending = { ...start, waitsForRestart: true };
  expect(
    judge([line("max_connections", "200")], [running("max_connections", "100", pending)]),
  ).toEqual([["max_connections", "waits-for-restart", "200", "100"]]);
});

test("a line that the server refuses is broken, one that it can't read at all too", () => {
  const error = { error: "setting could not be applied" };
  expect(
    judge([line("work_mem", "lots", error)], [running("work_mem", "4096", { unit: "kB" })]),
  ).toEqual([["work_mem", "broken", "lots", "4MB"]]);
  expect(judge([line("no_such", "1", { error: "unrecognized" })], [])).toEqual([
    ["no_such", "broken", "1", null],
  ]);
  expect(judge([line(null, null, { error: "syntax error" })], [])).toEqual([
    ["unreadable-line", "broken", null, null],
  ]);
});

test("what another file says after it, or the command line, overrules a line", () => {
  const later = line("work_mem", "8MB", { file: auto, line: 2, order: 2 });
  const found = settingsNotInForce([line("work_mem", "4MB"), later], [running("work_mem", "8192", { unit: "kB" })], 150_000); // prettier-ignore
  expect(found).toMatchObject([
    { name: "work_mem", state: "overruled", file: conf, line: 3, inFile: "4MB" },
  ]);
  expect(
    judge([line("port", "5432")], [running("port", "5433", { source: "command line" })]),
  ).toEqual([["port", "overruled", "5432", "5433"]]);
});

test("a line that is repeated in its own file, or says the same as the one after it, is nothing to tell", () => {
  const again = line("work_mem", "8MB", { line: 9, order: 2 });
  const eight = [running("work_mem", "8192", { unit: "kB" })];
  expect(judge([line("work_mem", "4MB"), again], eight)).toEqual([]);
  expect(judge([line("work_mem", "8192kB"), { ...again, file: auto }], eight)).toEqual([]);
});

test("what was taken out of the files is still in force until a reload, or a restart", () => {
  expect(judge([], [running("wal_keep_size", "9")])).toEqual([
    ["wal_keep_size", "waits-for-reload", null, "9"],
  ]);
  expect(judge([], [running("max_connections", "9", { context: "postmaster" })])).toEqual([
    ["max_connections", "waits-for-restart", null, "9"],
  ]);
  expect(judge([], [running("work_mem", "9", { source: "default", file: null })])).toEqual([]);
});

test("what our own session set says nothing about the files", () => {
  const own = { source: "session", vartype: "string" };
  expect(judge([line("search_path", "a")], [running("search_path", "b", own)])).toEqual([]);
});
