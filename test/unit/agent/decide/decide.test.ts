import { expect, test } from "vitest";
import { decide, guardStateWith, type GuardDecision } from "#agent/decide/decide.ts";
import { rules } from "#agent/decide/rules/table.ts";
import type { RestartPolicy } from "#agent/decide/policy.ts";
import type { GuardView } from "#agent/decide/view.ts";
import { someArchiver } from "#test/unit/database-facts.ts";
import { cronFile, primary, slot, view, walsender } from "./view-builder.ts";

/** Looks in a row, two seconds apart; answers the last decision and all that was opened and cleared. */
function look(
  views: readonly GuardView[],
  from = guardStateWith([]),
): GuardDecision & { readonly events: readonly string[] } {
  let state = from;
  let now = 1_000_000;
  const events: string[] = [];
  let last: GuardDecision | null = null;
  for (const seen of views) {
    last = decide(state, seen, now);
    state = last.state;
    now += 2_000;
    events.push(...last.opened.map((finding) => `+${finding.rule}`));
    events.push(...last.cleared.map((finding) => `-${finding.rule}`));
  }
  if (last === null) throw new Error("no look");
  return { ...last, events };
}

const stopped = primary({ status: "stopped", role: null, postmasterPid: null, replication: [] });
const standby = primary({
  role: "standby",
  replication: [],
  slots: [],
  receiver: { status: "streaming", slot: "slot_srv129", conninfo: "host=a", timeline: 1 },
});

test("a healthy primary and a healthy standby give no finding", () => {
  expect(look([view(primary()), view(primary()), view(primary())]).findings).toEqual([]);
  expect(look([view(standby), view(standby), view(standby)]).findings).toEqual([]);
});

test("a server that left its pid file behind is dead at the first look, even after an agent's restart", () => {
  const { findings } = look([view(stopped, { hasStalePid: true })]);
  expect(findings).toMatchObject([{ rule: "database-dead", severity: "critical" }]);
});

test("an orderly stop is another finding, only for a server that was seen running", () => {
  expect(look([view(stopped), view(stopped), view(stopped)]).events).toEqual([]);
  expect(look([view(primary()), view(stopped), view(stopped)]).events).toEqual([
    "+database-stopped",
  ]);
});

test("an unfinished copy is never taken for a dead database", () => {
  const copy = { ...stopped, hasIncompleteMarker: true };
  expect(
    look([view(primary()), ...Array(5).fill(view(copy, { hasStalePid: true }))]).events,
  ).toEqual(["+incomplete-data-directory"]);
});

test("a standby that does not stream is found at the third look in a row, not before", () => {
  const lost = { ...standby, receiver: null };
  expect(look([view(lost), view(lost)]).events).toEqual([]);
  expect(look([view(lost), view(lost), view(standby), view(lost), view(lost)]).events).toEqual([]);
  expect(look([view(lost), view(lost), view(lost)]).events).toEqual(["+standby-not-streaming"]);
});

test("a finding keeps its beginning, gets the newest evidence, and is cleared by as many good looks", () => {
  const lost = { ...standby, receiver: null };
  const waiting = {
    ...standby,
    receiver: { status: "waiting", slot: null, conninfo: "", timeline: 1 },
  };
  const open = look([view(lost), view(lost), view(lost), view(waiting)]);
  expect(open.findings).toMatchObject([
    { since: 1_004_000, evidence: "the WAL receiver is waiting" },
  ]);
  expect(look([view(standby), view(standby)], open.state).events).toEqual([]);
  expect(look([view(standby), view(standby), view(standby)], open.state).events).toEqual([
    "-standby-not-streaming",
  ]);
});

test("a primary whose standbys are all gone is found though the list is asynchronous", () => {
  const alone = primary({ replication: [], slots: [slot("slot_srv129", { active: false })] });
  expect(look([view(alone), view(alone), view(alone)]).findings).toMatchObject([
    { rule: "primary-without-standbys", evidence: expect.stringContaining("slot_srv129") },
  ]);
  const single = primary({ replication: [], slots: [] });
  expect(look([view(single), view(single), view(single)]).findings).toEqual([]);
});

test("a base backup's walsender is no standby", () => {
  const copying = primary({ replication: [walsender("pg_basebackup"), walsender("x", "backup")] });
  expect(look([view(copying), view(copying), view(copying)]).events).toEqual([
    "+primary-without-standbys",
  ]);
});

test("a failing archiver is found when its count grows, and cleared when it stays quiet", () => {
  const failed = (failedCount: number) =>
    view(
      primary({
        archiver: someArchiver({ failedCount, lastFailedWal: "0000000100000000000000AB" }),
      }),
    );
  const open = look([failed(3), failed(4)]);
  expect(open.findings).toMatchObject([
    { rule: "archiver-failing", evidence: expect.stringContaining("AB") },
  ]);
  // An old count is no news: the agent may have been started long after the archiver was mended.
  expect(look([failed(3), failed(3)]).findings).toEqual([]);
  expect(decide(open.state, failed(4), 1_002_000 + 151_000).cleared).toMatchObject([
    { rule: "archiver-failing" },
  ]);
});

test("only an active vendor line is found, with its place", () => {
  const line = "*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh\n";
  const active = look([view(primary(), { files: [cronFile(`# vendor\n${line}`)] })]);
  expect(active.findings).toMatchObject([
    {
      rule: "vendor-cron-line-active",
      severity: "info",
      evidence: expect.stringContaining("/etc/cron.d/KINGBASECRON:2 runs /home/kingbase"),
    },
  ]);
  expect(look([view(primary(), { files: [cronFile(`#${line}`)] })]).findings).toEqual([]);
});

test("after a takeover a line or a script of the vendor's that is back is critical", () => {
  const back = { vendorAtWork: "network_rewind.sh runs (pid 7)", isToAct: true };
  expect(look([view(primary(), back)]).findings).toMatchObject([
    { rule: "vendor-check-back", severity: "critical", evidence: "network_rewind.sh runs (pid 7)" },
  ]);
  expect(look([view(primary(), { ...back, isToAct: false })]).findings).toEqual([]);
  expect(look([view(primary(), { isToAct: true })]).findings).toEqual([]);
});

test("a slot of ours near its budget is found; a foreign slot of the same size is not", () => {
  const slots = [
    slot("slot_srv129"),
    slot("slot_srv159", { retainedBytes: 75 }),
    slot("theirs", { retainedBytes: 1e9 }),
  ];
  const own = {
    name: "slot_srv159",
    operationId: "op-12345678",
    forNode: "srv159",
    madeAt: 1,
    reserve: true,
    isSeen: true,
    isReplaced: false,
  };
  const near = view(primary({ slots }), { ownSlots: [{ ...own, walBudgetBytes: 100 }] });
  expect(look([near]).findings).toMatchObject([
    {
      rule: "slot-retains-wal-over-budget",
      evidence: "slot_srv159 holds 75 of 100 bytes",
    },
  ]);
  const far = view(primary({ slots }), { ownSlots: [{ ...own, walBudgetBytes: 200 }] });
  expect(look([far]).findings).toEqual([]);
});

test("WAL that is held for nobody is found whoever made the slot", () => {
  const idle = view(
    primary({ slots: [slot("slot_srv129"), slot("old", { active: false, retainedBytes: 3e8 })] }),
  );
  expect(look(Array(5).fill(idle)).findings).toMatchObject([
    { rule: "slot-retains-wal-for-nobody", evidence: "old (not ours) holds 300000000 bytes" },
  ]);
});

test("a slot of ours on a standby holds back nothing, or it is found", () => {
  const ownSlots = [
    {
      name: "slot_srv159",
      operationId: "op-12345678",
      forNode: "srv159",
      walBudgetBytes: 1e9,
      madeAt: 1,
      reserve: false,
      isSeen: true,
      isReplaced: false,
    },
  ];
  const spare = (retainedBytes: number | null) =>
    view(
      { ...standby, slots: [slot("slot_srv159", { active: false, retainedBytes })] },
      { ownSlots },
    );
  expect(look(Array(5).fill(spare(null))).findings).toEqual([]);
  expect(look(Array(5).fill(spare(2e7))).findings).toMatchObject([
    { rule: "slot-retains-wal-for-nobody", evidence: expect.stringContaining("ours, for srv159") },
  ]);
  // On a primary its standby is only away for a moment.
  const away = primary({
    slots: [slot("slot_srv129"), slot("slot_srv159", { active: false, retainedBytes: 2e7 })],
  });
  expect(look(Array(5).fill(view(away, { ownSlots }))).findings).toEqual([]);
});

test("a slot of ours that someone dropped is found on a primary", () => {
  const gone = { operationId: "op-12345678", forNode: "srv159", walBudgetBytes: 1e9, madeAt: 1 };
  const ownSlots = [
    { ...gone, name: "slot_srv159", reserve: true, isSeen: true, isReplaced: false },
  ];
  expect(look(Array(5).fill(view(primary(), { ownSlots }))).findings).toMatchObject([
    { rule: "own-slot-missing", evidence: "slot_srv159 for srv159" },
  ]);
  expect(look(Array(5).fill(view(standby, { ownSlots }))).findings).toEqual([]);
  // Noted, and about to be made.
  const noted = ownSlots.map((own) => ({ ...own, isSeen: false }));
  expect(look(Array(5).fill(view(primary(), { ownSlots: noted }))).findings).toEqual([]);
});

test("an archiver whose last word was a failure is found at the first look after a restart, while something waits", () => {
  const failing = (count: number) =>
    primary({
      archiver: someArchiver({
        failedCount: 3,
        lastFailedAt: 2_000,
        lastArchivedAt: 1_000,
        lastFailedWal: "0000000100000000000000AB",
        backlog: { count, bytes: count * 2 ** 24, oldestWal: null, isCut: false },
      }),
    });
  expect(look([view(failing(2))]).findings).toMatchObject([
    {
      rule: "archiver-failing",
      evidence: expect.stringContaining("dropping slots does not help here"),
    },
  ]);
  expect(look([view(failing(0))]).findings).toEqual([]);
});

test("a long queue of WAL to be archived is found though nothing fails", () => {
  const backlog = { count: 64, bytes: 64 * 2 ** 24, oldestWal: null, isCut: false };
  const behind = view(primary({ archiver: someArchiver({ backlog }) }));
  expect(look([behind, behind, behind]).findings).toMatchObject([
    { rule: "archiver-behind", evidence: expect.stringContaining("64 segments") },
  ]);
});

test("after a restart an open finding goes on, and is cleared when it is over", () => {
  const lost = { ...standby, receiver: null };
  const before = look([view(lost), view(lost), view(lost)]);
  const restarted = guardStateWith(before.findings);
  expect(look([view(lost)], restarted)).toMatchObject({
    events: [],
    findings: [{ since: 1_004_000 }],
  });
  expect(look([view(standby), view(standby), view(standby)], restarted).events).toEqual([
    "-standby-not-streaming",
  ]);
});

test("a finding of a rule that no longer exists is cleared", () => {
  const gone = { rule: "no-such-rule", because: "", severity: "info", since: 1 } as const;
  const state = guardStateWith([{ ...gone, would: [], evidence: "" }]);
  expect(look([view(primary())], state).events).toEqual(["-no-such-rule"]);
});

test("a dead standby would be started; a dead primary only where the site says so, and behind a standby marker", () => {
  const would = (database: typeof stopped, restart: RestartPolicy) =>
    look([view(database, { hasStalePid: true, policy: { restart } })]).findings[0]?.would;
  const deadStandby = { ...stopped, hasStandbyMarker: true };
  expect(would(deadStandby, "standbys")).toEqual(["start the database"]);
  expect(would(deadStandby, "never")).toEqual([]);
  expect(would(stopped, "standbys")).toEqual([]);
  expect(would(stopped, "all")).toEqual([
    "write a standby marker, so that it can't come up as a second primary",
    "start the database",
  ]);
});

test("a rule that has not been seen often enough, or lacks one condition, has nearly fired", () => {
  const near = (...views: readonly GuardView[]) => look(views).nearMisses;
  const lost = { ...standby, receiver: null };
  expect(near(view(lost))).toEqual([
    {
      rule: "standby-not-streaming",
      evidence: "no WAL receiver is running",
      missing: "2 more looks that agree",
    },
  ]);
  expect(near(view(lost), view(lost), view(lost))).toEqual([]);
  expect(near(view(stopped))).toMatchObject([{ rule: "database-stopped" }]);
  const copy = { ...stopped, hasIncompleteMarker: true };
  expect(near(view(copy, { hasStalePid: true }))).toMatchObject([
    { rule: "database-dead", missing: expect.stringContaining("unfinished copy") },
  ]);
  const single = primary({ replication: [], slots: [] });
  expect(near(view(single))).toMatchObject([{ rule: "primary-without-standbys" }]);
  const backlog = { count: 40, bytes: 40 * 2 ** 24, oldestWal: null, isCut: false };
  expect(near(view(primary({ archiver: someArchiver({ backlog }) })))).toMatchObject([
    { rule: "archiver-behind" },
  ]);
  expect(near(view(primary()))).toEqual([]);
});

test("every rule has its own id, a reason, and says what a person does", () => {
  expect(new Set(rules.map((rule) => rule.id)).size).toBe(rules.length);
  for (const rule of rules) {
    expect(rule.id).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(rule.because.length).toBeGreaterThan(10);
    expect(rule.next.length).toBeGreaterThan(10);
    expect(rule.looks).toBeGreaterThan(0);
  }
});
