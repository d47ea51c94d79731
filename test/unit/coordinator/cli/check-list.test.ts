import { expect, test } from "vitest";
import { renderCheckList } from "#coordinator/cli/render/check-list.ts";

const at = Date.parse("2026-11-22T12:00:00Z");

test("a line a check, of agents of earlier versions too, and who is away", () => {
  const lines = renderCheckList({
    nodes: [
      {
        node: "srv127",
        agent: "connected",
        checks: [
          { name: "disk", schedule: "0 * * * * *", lastRunAt: at, lastResult: "a write hangs", severity: "critical", tookMs: 10_000, nextRunAt: at + 60_000 }, // prettier-ignore
          { name: "clock", schedule: "30 * * * * *", lastRunAt: null, lastResult: null, severity: null, tookMs: null, nextRunAt: at + 30_000 }, // prettier-ignore
        ],
      },
      {
        node: "srv129",
        agent: "away",
        checks: [{ name: "host", schedule: "*/30 * * * * *", lastRunAt: at, lastResult: "looked at; next …" }], // prettier-ignore
      },
      { node: "srv159", agent: "not-joined", checks: [] },
    ],
  });
  expect(lines).toEqual([
    "NODE    CHECK  SCHEDULE        LAST RUN              TOOK    NEXT RUN              FOUND     RESULT",
    "srv127  disk   0 * * * * *     2026-11-22 12:00:00Z  10.0 s  2026-11-22 12:01:00Z  critical  a write hangs",
    "srv127  clock  30 * * * * *    -                     -       2026-11-22 12:00:30Z  -         not run yet",
    "srv129  host   */30 * * * * *  2026-11-22 12:00:00Z  -       -                     -         looked at; next …",
    "  srv129: its agent is away: as it was told last",
    "  srv159: no agent of it has joined",
  ]);
});
