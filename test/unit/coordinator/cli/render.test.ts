import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { renderChecks } from "#coordinator/cli/render/checks.ts";
import { renderCompletion } from "#coordinator/cli/render/completion.ts";
import { renderProgress } from "#coordinator/cli/render/operation-tree.ts";
import { renderTable } from "#coordinator/cli/render/table.ts";
import { parseSize, renderBytes, renderDuration } from "#coordinator/cli/render/units.ts";

describe("units", () => {
  test("bytes are shown in the largest unit that keeps them above one", () => {
    expect(renderBytes(0)).toBe("0 B");
    expect(renderBytes(1536)).toBe("1.5 KiB");
    expect(renderBytes(2 * 1024 ** 4)).toBe("2.0 TiB");
    expect(renderBytes(-2048)).toBe("-2.0 KiB");
  });

  test("a size is read back from what a person types", () => {
    expect(parseSize("50M")).toBe(50 * 1024 ** 2);
    expect(parseSize("1.5GiB/s")).toBe(1.5 * 1024 ** 3);
    expect(parseSize("fast")).toBeNull();
    expect(parseSize("-5M")).toBeNull();
  });

  test("any text is a size of at least zero or none at all", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const size = parseSize(text);
        expect(size === null || size >= 0).toBe(true);
      }),
    );
  });

  test("durations change their unit at a minute and an hour", () => {
    expect(renderDuration(400)).toBe("0.4 s");
    expect(renderDuration(75_000)).toBe("1 min 15 s");
    expect(renderDuration(4_000_000)).toBe("1 h 6 min");
  });
});

test("a table's columns are as wide as their widest cell", () => {
  expect(renderTable(["A", "LONG"], [["xxx", "y"]])).toEqual(["A    LONG", "xxx  y"]);
});

test("a failing check shows what was found, what is wanted and the fix; a passing one is only counted", () => {
  const check = { title: "WAL senders are free", node: "srv127", found: "0 of 4", wanted: "2" };
  const lines = renderChecks(
    [
      { ...check, id: "wal-senders", status: "fail", fix: "raise max_wal_senders" },
      { ...check, id: "clock", status: "pass", fix: "" },
    ],
    false,
  );
  expect(lines).toEqual([
    "fail  WAL senders are free (srv127)  [wal-senders]",
    "        found:  0 of 4",
    "        wanted: 2",
    "        fix:    raise max_wal_senders",
    "2 checks: 1 passed, 0 warnings, 1 failed",
  ]);
});

test("progress shows share, rate and the time that is left", () => {
  const progress = { doneBytes: 512 * 1024, totalBytes: 1024 * 1024, bytesPerSecond: 256 * 1024 };
  expect(renderProgress({ ...progress, note: "copying" })).toBe(
    "50%  512 KiB of 1.0 MiB, 256 KiB/s, 2.0 s left  copying",
  );
});

test("the completion script offers subcommands and options by their place in the tree", () => {
  const leaf = { name: "add", options: ["--dry-run"], commands: [] };
  const script = renderCompletion(
    { name: "castellan", options: [], commands: [{ name: "node", options: [], commands: [leaf] }] },
    "bash",
  ).join("\n");
  expect(script).toContain(`"node") words="add"`);
  expect(script).toContain(`"node add") words="--dry-run"`);
});
