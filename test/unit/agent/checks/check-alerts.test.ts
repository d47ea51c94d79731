import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withAlerts } from "#agent/checks/check-alerts.ts";
import { fine, warning, type Check, type CheckResult } from "#agent/checks/check.ts";
import type { HostEvent } from "#agent/host-event.ts";
import { joinSettings } from "#agent/join-settings.ts";
import { createLog } from "#shared/log.ts";
import { systemClock } from "#shared/time.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { joinDefaults } from "#test/integration/agent/real-ports.ts";

let folder = "";
/** By what was told. */
let open: Record<string, string> = {};
beforeEach(() => {
  open = {};
  folder = mkdtempSync(join(tmpdir(), "castellan-checks-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const critical: CheckResult = { severity: "critical", text: "worse" };

/** Runs a check once for each result, in an agent of its own; answers the alerts' events. */
async function told(
  results: readonly (CheckResult | Error)[],
  more: Partial<Pick<Check, "name" | "looks">> = {},
): Promise<readonly string[]> {
  const events: HostEvent[] = [];
  const settings = joinSettings({ ...joinDefaults, stateDirectory: folder });
  const ports = { settings, clock: systemClock, log: createLog("test", "silent") };
  let at = 0;
  const run = async (): Promise<CheckResult> => {
    const result = results[at++];
    if (result === undefined || result instanceof Error) throw result ?? new Error("no result");
    return result;
  };
  const check = { name: "own", schedule: "0 * * * * *", looks: 1, ...more, run };
  const [periodic] = withAlerts([check], ports, (event) => events.push(event));
  for (const _ of results) await periodic?.run(new AbortController().signal);
  for (const { kind, cause, severity } of events) {
    if (kind === "guard-cleared") delete open[cause];
    else open[cause] = severity;
  }
  await waitFor(() => readFileSync(`${folder}/checks.json`, "utf8") === keptText(), {
    what: "what is open to be on disk",
  });
  return events.map(({ kind, cause, severity, summary }) => `${kind} ${cause} ${severity}: ${summary}`); // prettier-ignore
}

test("a finding is one alert until it is over, told again only when it gets worse or better", async () => {
  const results = [fine("5"), warning("9"), warning("8"), critical, critical, warning("9"), fine("5")]; // prettier-ignore
  expect(await told(results)).toEqual([
    "guard-finding check:own warning: check own: 9",
    "guard-finding check:own critical: check own: worse",
    "guard-finding check:own warning: check own: 9",
    "guard-cleared check:own info: check own: 5",
  ]);
});

test("a check that wants two runs to agree says nothing of one that stands alone", async () => {
  const results = [warning("a"), fine("b"), warning("c"), warning("d"), fine("e"), warning("f"), fine("g"), fine("h")]; // prettier-ignore
  expect(await told(results, { looks: 2 })).toEqual([
    "guard-finding check:own warning: check own: d",
    "guard-cleared check:own info: check own: h",
  ]);
});

test("a check that fails is a warning that says why", async () => {
  expect(await told([new Error("no such thing")])).toEqual([
    "guard-finding check:own warning: check own: could not be made: no such thing",
  ]);
});

test("what is open outlives the agent: neither told twice, nor forgotten when it is over", async () => {
  expect(await told([warning("9")])).toHaveLength(1);
  expect(await told([warning("9"), fine("5")])).toEqual([
    "guard-cleared check:own info: check own: 5",
  ]);
  expect(await told([fine("5")])).toEqual([]);
});

test("the alert of a check that was taken out of agent.yaml ends", async () => {
  await told([warning("9")]);
  expect(await told([fine("0")], { name: "other" })).toEqual([
    "guard-cleared check:own info: check own: is not made any more",
  ]);
  expect(await told([fine("0")], { name: "other" })).toEqual([]);
});

function keptText(): string {
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(open).map(([cause, severity]) => [cause.slice("check:".length), severity]),
    ),
  );
}
