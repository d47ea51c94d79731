import { expect, test } from "vitest";
import { rules, type Rule } from "#agent/decide/rules.ts";
import type { GuardView } from "#agent/decide/view.ts";
import { stepText } from "#shared/domain/guard.ts";
import { primary, view } from "./view-builder.ts";

const stopped = primary({ status: "stopped", role: null, postmasterPid: null });
const dead = (hasStandbyMarker: boolean): GuardView =>
  view({ ...stopped, hasStandbyMarker }, { hasStalePid: true, restart: "all" });

/** Where each row that acts does so: the page says what it does there. */
const acts: Readonly<Record<string, readonly (readonly [where: string, seen: GuardView])[]>> = {
  "database-dead": [
    ["a standby", dead(true)],
    ["a former primary (with `guard.restart: all` only)", dead(false)],
  ],
};

test("every row that acts is shown where it does, and no other", () => {
  expect(Object.keys(acts)).toEqual(rules.filter((rule) => rule.steps !== undefined).map((r) => r.id)); // prettier-ignore
  for (const rule of rules) {
    for (const [where] of acts[rule.id] ?? []) expect(stepsIn(rule)).toContain(where);
  }
});

/** The page follows from the table: `npx vitest run --config test/vitest.config.ts decide/docs --update` writes it anew. */
test("docs/guard.md is the guard's table", async () => {
  const page = [
    "# The guard",
    "",
    "Each agent judges its own host by the table below: every two seconds, and at once when a connection to the database closes,",
    "a watched file changes or a command ends. An event only wakes a look; a look is always at the whole state. A rule becomes a",
    "finding when as many looks in a row agree as it asks for, and is over after as many that don't. A finding is told as an alert",
    "(`node:NODE:guard:RULE`), shown by `castellan guard status`, and kept with the facts that it rests on: `castellan why NODE`.",
    "",
    "## Modes",
    "",
    "| mode | what the guard does | how it is entered, how left |",
    "| --- | --- | --- |",
    "| `observe` | tells what it finds and what it would do; nothing else | the mode of every new agent |",
    "| `maintenance` | the same, with its alerts muted and marked; what it would do counts as held back | `castellan guard maintenance CLUSTER` or `NODE`, with `--for 2h` or `--until TIME`; ends by itself, at the latest after 30 days, or with `--end` |",
    "",
    "The guard is in charge of nothing yet: the vendor's cron checks go on as they are, and no row acts. Only the WAL budget of slots",
    "that Castellan made is kept in every mode ([slots.md](slots.md)).",
    "",
    "Maintenance mutes the causes `node:NODE:guard:*` and nothing else: drift, broken rules across nodes, the WAL budget and a lost",
    "mode are told as ever. Findings go on being recorded. At the end whatever still stands is told; what came and went meanwhile is in",
    "`castellan events` and `castellan why`. A node whose agent can't be reached stays as it was and is named, with exit status 6; the",
    "others are in maintenance. The agent ends it by its own clock, and by one that nobody sets, so that a clock that is set back does not",
    "prolong it; the coordinator ends the mute by its own. Neither needs the other for that.",
    "",
    "The mode is in `guard-mode.json` in the agent's state directory, bound to the node and the host's machine id. A file that is gone,",
    "can't be read or is another host's counts as `observe`, and is an alert (`node:NODE:guard-mode`) until a mode is set again:",
    "`castellan guard maintenance NODE --end` keeps it at `observe`.",
    "",
    "An agent.yaml from before has to allow it: add `set-maintenance` to `allow.verbs` and restart the agent.",
    "",
    "## Why",
    "",
    '`castellan why NODE` shows how the node is now and what its guard decided last; `castellan why NODE --at "2026-11-22 20:14"` how it was',
    "then: the facts that were looked at, the rule that fired with its steps, the rules that nearly did with what they lacked, and the",
    "findings that stood. A decision is made when a finding opens or is over. The agent keeps its last 100 on its host, and tells the",
    "coordinator again until it has taken them; the coordinator keeps 500 of each node. The facts of one are at most 4 KiB.",
    "",
    "## Without the coordinator",
    "",
    "The agent looks, decides and keeps its decisions; maintenance ends in time. What waits until the coordinator is back: alerts (the",
    "newest of each cause) and decisions (the last 100) are told then, and maintenance can't be begun or ended by a command. The rules across",
    "nodes ([rules.md](rules.md)) are the coordinator's own. No row acts, so no action waits.",
    "",
    "## The table",
    "",
    "The order is that of showing; every row is judged at each look. *Class* is what its steps touch: an operation that works on a node",
    "reserves classes there. *In charge* is what the row does once the guard may act; most rows only tell.",
    "",
    "| rule | severity | class | looks | because | in charge | what a person does |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...rules.map(
      (rule) =>
        `| \`${rule.id}\` | ${rule.severity} | ${rule.class} | ${rule.looks} | ${rule.because} | ${stepsIn(rule)} | ${rule.next} |`,
    ),
    "",
    "`guard.restart` in agent.yaml says which dead databases are started: `never`, `standbys` (the default), or `all`. A dead primary",
    "is otherwise left alone, as the vendor's scripts leave it: a pool may be failing over from it, and a second primary is worse than",
    "none. With `all` it comes up as a standby.",
    "",
    "This page is generated from the table in `agent/decide/rules.ts`. Each row is proved in `test/unit/agent/decide/decide.test.ts`; that no",
    "sequence of facts makes the guard flap, start a database that answers or start a former primary as one, in",
    "`decide.property.test.ts` beside it. Why it is built so: [adr/0007](adr/0007-the-guard-is-a-table.md).",
    "",
  ].join("\n");
  await expect(page).toMatchFileSnapshot("../../../../docs/guard.md");
});

function stepsIn({ id, steps, witness }: Rule): string {
  const told = (acts[id] ?? []).map(([where, seen]) => {
    const words = (steps?.(seen) ?? []).map(stepText).join(", then ");
    return `${where}: ${words}`;
  });
  if (told.length === 0) return "tells";
  return `${told.join("; ")}${witness ? "; with a second witness" : ""}`;
}
