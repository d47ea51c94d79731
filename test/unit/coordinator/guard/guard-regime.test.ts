import { expect, test } from "vitest";
import type { FileFacts, NodeFacts } from "#shared/domain/facts.ts";
import { checkRegime, type Regime } from "#coordinator/operations/guard-regime/checks.ts";
import { isSo, planRegime } from "#coordinator/operations/guard-regime/plan.ts";
import { takenFrom } from "#coordinator/operations/guard-regime/taken-lines.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { KnownNode } from "#coordinator/operations/add-node/situation.ts";
import { cronFile as cronFacts } from "#test/unit/agent/decide/view-builder.ts";
import { operationRecord } from "#test/unit/coordinator/fake-ports.ts";
import { createWorld } from "#test/unit/coordinator/world.ts";

const path = "/etc/cron.d/KINGBASECRON";
const rewind = "*/1 * * * * kingbase  /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh";
const pool = "*/1 * * * * root  /home/kingbase/cluster/ESHA/kingbasecluster/bin/restartcluster.sh";
const active = `${rewind}\n${pool}\n`;
const verbs = ["take-over-cron", "hand-back-cron", "set-guard-mode"];

type Change = {
  readonly text?: string;
  readonly more?: readonly FileFacts[];
  readonly mode?: NodeFacts["guard"]["mode"];
  readonly lasting?: NodeFacts["guard"]["lasting"];
  readonly verbs?: string[];
  readonly helper?: string[];
  readonly isAway?: boolean;
};

/** A cluster of two nodes on KingbaseES, both pools' hosts. */
function bed(change: Change = {}) {
  const world = createWorld({ product: "kingbase-v8r3", pool: true });
  const nodes = world.declaration.nodes.map((declared, index): KnownNode => {
    const here = index === 1 ? change : {};
    const agent = world.agents.get(declared.name) ?? null;
    const seen = world.facts.get(declared.name);
    if (seen === undefined || agent === null || here.isAway === true) {
      return { declared, agent: null, facts: null };
    }
    const files = [cronFacts(here.text ?? active), ...(here.more ?? [])];
    const facts: NodeFacts = {
      ...seen,
      files,
      agent: { ...seen.agent, verbs: here.verbs ?? verbs },
      host: { ...seen.host, rootHelperVerbs: here.helper ?? ["cron-comment", "cron-restore"] },
      guard: { ...seen.guard, mode: here.mode ?? "observe", lasting: here.lasting },
    };
    return { declared, agent: { ...agent, facts }, facts };
  });
  return { world, nodes };
}

function refusal(change: Change, regime: Regime = "takeover"): unknown {
  try {
    checkRegime(regime, bed(change).nodes, path);
    return null;
  } catch (error) {
    return error;
  }
}

function stepsOf(regime: Regime, cronFile: string | null = path, taken = ["srv127", "srv129"]) {
  const { nodes, world } = bed();
  const cluster = { declaration: world.declaration, file: "/c.yaml", yaml: "", hash: "0" };
  return planRegime({
    regime,
    cluster,
    nodes,
    checks: [],
    cronFile,
    takenFrom: taken,
    by: "dba",
  });
}

test("every line is commented before the first guard acts, and comes back after the last one has stopped", () => {
  expect(stepsOf("takeover").steps.map(({ id }) => id)).toEqual([
    "take-over-cron/srv127",
    "take-over-cron/srv129",
    "set-guard-mode/srv127",
    "set-guard-mode/srv129",
  ]);
  expect(stepsOf("handback").steps.map(({ id }) => id)).toEqual([
    "set-guard-mode/srv127",
    "set-guard-mode/srv129",
    "hand-back-cron/srv127",
    "hand-back-cron/srv129",
  ]);
  expect(stepsOf("takeover", null).steps.map(({ kind }) => kind)).toEqual([
    "set-guard-mode",
    "set-guard-mode",
  ]);
});

test("the plan shows each file's edit as a diff, and rests on the files as they were", () => {
  const plan = stepsOf("takeover");
  expect(plan.steps[0]?.preview).toEqual([
    `--- ${path}`,
    `+++ ${path}`,
    "@@ -1,2 +1,2 @@",
    `-${rewind}`,
    `-${pool}`,
    `+#${rewind}`,
    `+#${pool}`,
  ]);
  expect(plan.files).toMatchObject([
    { node: "srv127", path },
    { node: "srv129", path },
  ]);
});

test("all is well, and nothing is to be said", () => {
  expect(refusal({})).toBeNull();
  expect(refusal({ text: `#${rewind}\n` })).toBeNull();
  expect(refusal({ text: "# nothing\n" })).toBeNull();
  expect(refusal({}, "handback")).toBeNull();
});

test.each<[string, Change, string, string]>([
  ["its agent away", { isAway: true }, "srv129: its agent is away", "On srv129, as root: systemctl start castellan-agent"],
  ["an agent of before", { verbs: ["set-guard-mode"] }, "does not offer take-over-cron", 'add - "take-over-cron" below allow: verbs: in /etc/castellan/agent.yaml, then systemctl restart castellan-agent'],
  ["no root helper", { helper: [] }, "no root helper offers cron-comment", "as root: node castellan-root.js install"],
  ["a line twice", { text: `${rewind}\n#${rewind}\n` }, `${path} has a vendor line twice`, "take one of them out"],
  ["a line in another file", { more: [{ ...cronFacts(rewind), path: "/etc/crontab" }] }, "/etc/crontab runs the vendor's checks", "put # before them"],
  ["another file that can't be read", { more: [{ ...cronFacts(""), path: "/etc/crontab", state: "unreadable", maskedText: null }] }, "/etc/crontab is unreadable", "chmod 0644 /etc/crontab"],
])("a node with %s keeps all of them as they are", (_what, change, found, fix) => {
  expect(refusal(change)).toMatchObject({
    code: "PREFLIGHT_FAILED",
    message: expect.stringContaining(found),
    hint: expect.stringContaining(fix),
  });
}); // prettier-ignore

test("each line that is in the way is told with its place, and all that is wrong at once", () => {
  const crontab = { ...cronFacts(`# old build\n${pool}\n`), path: "/etc/crontab" };
  expect(refusal({ text: `${rewind}\n#${rewind}\n`, more: [crontab] })).toMatchObject({
    evidence: [
      `${path}:1 runs /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh`,
      `${path}:2 would run /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh`,
      "srv129: /etc/crontab runs the vendor's checks",
      "/etc/crontab:2 runs /home/kingbase/cluster/ESHA/kingbasecluster/bin/restartcluster.sh",
      expect.stringContaining("put # before them"),
    ],
  });
});

test("a cron file that is missing, or can't be read, is named with what to do", () => {
  const gone = { ...cronFacts(""), state: "absent" as const, maskedText: null };
  const locked = { ...cronFacts(""), state: "unreadable" as const, maskedText: null };
  const onSecond = (file: FileFacts) => {
    const { nodes } = bed();
    return nodes.map((node, index) =>
      index === 1 && node.facts !== null
        ? { ...node, facts: { ...node.facts, files: [file] } }
        : node,
    );
  };
  expect(() => checkRegime("takeover", onSecond(gone), path)).toThrow(`${path} is missing`);
  expect(() => checkRegime("takeover", onSecond(locked), path)).toThrow(`${path} is unreadable`);
});

test("a cluster that is taken over already is known, in maintenance as well", () => {
  const so = (change: Change) => {
    const { nodes } = bed(change);
    const same = nodes.map((node) => ({ ...node, facts: nodes[1]?.facts ?? null }));
    return isSo({ regime: "takeover", nodes: same, cronFile: path });
  };
  const commented = `#${rewind}\n#${pool}\n`;
  expect(so({ mode: "enforce", text: commented })).toBe(true);
  expect(so({ mode: "enforce" })).toBe(false);
  expect(so({ mode: "maintenance", lasting: "enforce", text: commented })).toBe(true);
  expect(so({ mode: "maintenance", lasting: "observe", text: commented })).toBe(false);
  expect(so({ mode: "maintenance", text: commented })).toBe(false);
});

test("what a person commented is not given back", () => {
  const { steps, notes } = stepsOf("handback", path, ["srv127"]);
  expect(steps.map(({ id }) => id)).toEqual([
    "set-guard-mode/srv127",
    "set-guard-mode/srv129",
    "hand-back-cron/srv127",
  ]);
  expect(notes.at(-1)).toBe(
    "No line of the vendor's on srv129 was commented by a takeover: none becomes active there.",
  );
});

type Told = {
  readonly kind?: OperationRecord["kind"];
  readonly state?: OperationRecord["state"];
  readonly byHand?: readonly string[];
};

/** One after the other; a takeover is of srv127 and srv129. */
function journal(told: readonly Told[]): readonly OperationRecord[] {
  const plan = stepsOf("takeover");
  return told.map(({ kind = "guard-takeover", state = "succeeded", byHand = [] }, at) => ({
    ...operationRecord({ kind, cluster: "ESHA", subject: "ESHA", requestedBy: "dba", plan, onFailure: "rollback" }),
    state,
    requestedAt: at,
    steps: plan.steps.map((step, index) => ({
      index,
      state: "done",
      attempt: 1,
      startedAt: 0,
      endedAt: 0,
      evidence: { alreadyDone: step.on !== null && byHand.includes(step.on), lines: [], files: [] },
      failure: null,
    })),
  })); // prettier-ignore
}

const both = ["srv127", "srv129"];
const three = [...both, "srv159"];

test.each<[string, readonly Told[], readonly string[]]>([
  ["commented all lines, and that of a node added since goes by them", [{}], three],
  ["found all lines commented by hand, and that of a node added since goes by them", [{ byHand: both }], []],
  ["found those of one node commented by hand", [{ byHand: ["srv129"] }], ["srv127", "srv159"]],
  ["commented all lines, and was asked for again", [{}, { byHand: both }], three],
  ["commented a line that came back to life after it was found commented", [{ byHand: both }, { byHand: ["srv127"] }], ["srv129", "srv159"]],
  ["was handed back, and the next one found all commented", [{}, { kind: "guard-handback" }, { byHand: both }], []],
  ["was handed back", [{}, { kind: "guard-handback" }], []],
  ["was not handed back, as that was rolled back", [{}, { kind: "guard-handback", state: "rolled-back" }], three],
  ["was rolled back, and the next one found all commented", [{ state: "rolled-back" }, { byHand: both }], []],
  ["is not in the journal", [], three],
])("a takeover that %s", (_what, told, taken) => {
  expect(takenFrom(three, journal(told).toReversed())).toEqual(taken);
}); // prettier-ignore
