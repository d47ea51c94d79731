import { expect, test } from "vitest";
import { renderAlertList } from "#coordinator/cli/render/alerts.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { ofNoRule } from "../alert-builder.ts";

function alert(id: number, part: Partial<AlertRecord>): AlertRecord {
  const cause = `cause-${id}`;
  const common = { node: "srv127", summary: `alert ${id}`, detail: "", state: "open" } as const;
  return { ...ofNoRule, id, cause, severity: "info", firstSeenAt: 0, lastSeenAt: 0, count: 1, ...common, ...part }; // prettier-ignore
}

test("the list begins with a sum and the worst, and ends with what is over", () => {
  const lines = renderAlertList([
    alert(4, { severity: "warning" }),
    alert(3, { severity: "critical", state: "resolved" }),
    alert(2, { severity: "info", state: "acknowledged" }),
    alert(1, { severity: "critical" }),
  ]);
  expect(lines[0]).toBe("3 alerts: 1 critical, 1 warning, 1 info");
  const order = lines.flatMap((line) => /\[(\d)\]$/.exec(line)?.[1] ?? []);
  expect(order).toEqual(["1", "4", "2", "3"]);
  expect(renderAlertList([])).toEqual(["Nothing stands."]);
});

test("of a long detail the list has the beginning, and says where the rest is", () => {
  const detail = Array.from({ length: 40 }, (_, i) => `- place ${i}`).join("\n");
  const lines = renderAlertList([alert(7, { detail })]).map((line) => line.trim());
  expect(lines).toContain("- place 6");
  expect(lines).not.toContain("- place 7");
  expect(lines.at(-1)).toBe("… 33 lines more: castellan alert show 7");
});
