import { expect, test } from "vitest";
import { AgentSettings, defaultGuard } from "#agent/settings.ts";
import { parseSettings } from "#agent/load-settings.ts";
import { settingsText } from "#agent/settings-text.ts";
import { joinSettings } from "#agent/join-settings.ts";
import { joinDefaults } from "#test/integration/agent/real-ports.ts";

const guard = AgentSettings.shape.guard;
const query = { name: "long", schedule: "0 */5 * * * *", sql: "select 1", warning: "> 5" };
const program = { name: "raid", schedule: "0 0 * * * *", program: "/usr/lib/nagios/check_raid" };

test("a file of before, without checks of its own, is read with the usual ones", () => {
  const { schedules, slots } = defaultGuard;
  const { rehash, host, guard: own } = schedules;
  const read = guard.parse({ schedules: { rehash, host, guard: own }, slots });
  expect(read).toEqual(defaultGuard);
});

test("the site's checks are read with what they leave out, and are written as they are read", () => {
  const settings = joinSettings(joinDefaults);
  const checks = guard.parse({ ...settings.guard, checks: [query, program] }).checks;
  expect(checks).toEqual([
    { ...query, timeoutMs: 10_000, severity: "warning" },
    { ...program, args: [], timeoutMs: 10_000, severity: "warning" },
  ]);
  const whole = { ...settings, guard: { ...settings.guard, checks } };
  expect(parseSettings(settingsText(whole), "agent.yaml").settings).toEqual(whole);
});

test.each([
  ["no threshold", { ...query, warning: undefined }],
  ["a threshold that is none", { ...query, warning: "more than 5" }],
  ["no schedule", { ...query, schedule: "every day" }],
  ["a query and a program", { ...query, ...program }],
  ["thresholds of a program", { ...program, warning: "> 5" }],
  ["a program without its directory", { ...program, program: "check_raid" }],
  ["the name of a built-in check", { ...query, name: "disk" }],
  ["an unknown severity", { ...query, severity: "high" }],
  ["no time at all", { ...query, timeoutMs: 0 }],
])("a check with %s is refused", (_, check) => {
  expect(guard.safeParse({ ...defaultGuard, checks: [check] }).success).toBe(false);
});

test.each([
  [[query, { ...program, name: "long" }], "checks.1.name: long is the name of another check"],
  [[{ ...query, schedule: "daily" }], "checks.0.schedule: no schedule: six fields"],
  [[{ ...query, warning: ">" }], "checks.0.warning: no comparison with a number"],
  [[{ ...program, arguments: [] }], 'checks.0: Unrecognized key: "arguments"'],
])("what is wrong with a check is told where it stands: %j", (checks, complaint) => {
  const settings = joinSettings(joinDefaults);
  const text = settingsText(settings).replace("checks: []", `checks: ${JSON.stringify(checks)}`);
  const read = (): unknown => parseSettings(text, "agent.yaml");
  expect(read).toThrow(/^agent\.yaml:\d+:\d+: guard\./);
  expect(read).toThrow(complaint);
});
