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
  expect(lines[2]).toBe("1      critical  open          1970-01-01 00:00:00Z  srv127  alert 1");
  const order = lines.flatMap((line) => /^(\d) {6}/.exec(line)?.[1] ?? []);
  expect(order).toEqual(["1", "4", "2", "3"]);
  expect(renderAlertList([])).toEqual(["Nothing stands."]);
});
