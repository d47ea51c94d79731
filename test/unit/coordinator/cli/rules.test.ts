import { expect, test } from "vitest";
import type { RuleAnswer } from "#coordinator/api/contract.ts";
import { renderRule, renderRules } from "#coordinator/cli/render/rules.ts";
import { ofNoRule } from "../alert-builder.ts";

const kept: RuleAnswer = {
  id: "own-slot",
  sentence: "A standby streams, or will stream, through its own slot",
  severity: "critical",
  needs: [],
  wanted: "primary_slot_name = the node's slot",
  fix: "Set primary_slot_name.",
  alerts: [],
};

const broken: RuleAnswer = {
  ...kept,
  id: "kb-all-ip",
  severity: "warning",
  needs: ["vendor"],
  alerts: [
    {
      ...ofNoRule,
      id: 7,
      cause: "rule:ESHA:kb-all-ip:srv129:db/etc/HAmodule.conf",
      severity: "warning",
      node: "srv129",
      rule: "kb-all-ip",
      file: "/home/kingbase/cluster/ESHA/db/etc/HAmodule.conf",
      line: 21,
      summary: "srv129: KB_ALL_IP without 192.168.4.129",
      detail: "",
      fix: "Make KB_ALL_IP the same list in all copies.",
      state: "open",
      firstSeenAt: 0,
      lastSeenAt: 0,
      count: 1,
    },
  ],
};

test("broken rules stand first, and are counted", () => {
  const lines = renderRules([kept, broken]);
  expect(lines[1]).toMatch(/^broken 1× +warning +kb-all-ip/);
  expect(lines[2]).toMatch(/^ +critical +own-slot/);
  expect(lines.at(-1)).toBe("2 rules, 1 broken. castellan rules explain RULE");
});

test("a rule is told with the place of what breaks it and what to do", () => {
  const text = renderRule(broken).join("\n");
  expect(text).toContain("applies to  KingbaseES V8R3");
  expect(text).toContain("HAmodule.conf:21");
  expect(text).toContain("fix: Make KB_ALL_IP the same list in all copies.");
  const alerts = broken.alerts.map((alert) => ({ ...alert, fix: broken.fix }));
  expect(renderRule({ ...broken, alerts }).join("\n")).not.toContain("fix:"); // once is enough
  expect(renderRule(kept).join("\n")).toContain("broken nowhere");
});
