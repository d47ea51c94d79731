import { expect, test } from "vitest";
import type { FileFacts, NodeFacts } from "#shared/domain/facts.ts";
import { checkRegime, type Regime } from "#coordinator/operations/guard-regime/checks.ts";
import { isSo, planRegime } from "#coordinator/operations/guard-regime/plan.ts";
import type { KnownNode } from "#coordinator/operations/add-node/situation.ts";
import { cronFile as cronFacts } from "#test/unit/agent/decide/view-builder.ts";
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
      guard: { ...seen.guard, mode: here.mode ?? "observe" },
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

function stepsOf(regime: Regime, cronFile: string | null = path) {
  const { nodes, world } = bed();
  const cluster = { declaration: world.declaration, file: "/c.yaml", yaml: "", hash: "0" };
  return planRegime({ regime, cluster, nodes, checks: [], cronFile, by: "dba" });
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
  ["its agent away", { isAway: true }, "srv129: its agent is away", "Start castellan-agent on srv129: all nodes change over, or none."],
  ["an agent of before", { verbs: ["set-guard-mode"] }, "does not offer take-over-cron", "add take-over-cron to allow.verbs"],
  ["no root helper", { helper: [] }, "does not offer cron-comment", "as root: node castellan-root.js install"],
  ["a line twice", { text: `${rewind}\n#${rewind}\n` }, "has a network-rewind line twice (1 and 2)", "Take one of them out"],
  ["a line in another file", { more: [{ ...cronFacts(rewind), path: "/etc/crontab" }] }, "/etc/crontab:1 runs /home/kingbase/cluster/ESHA/db/bin/network_rewind.sh", "Comment these lines by hand"],
])("a node with %s keeps all of them as they are", (_what, change, found, fix) => {
  expect(refusal(change)).toMatchObject({
    code: "PREFLIGHT_FAILED",
    message: expect.stringContaining(found),
    hint: expect.stringContaining(fix),
  });
}); // prettier-ignore

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

test("a cluster that is taken over already is known, and one in maintenance is not taken for it", () => {
  const so = (change: Change) => {
    const { nodes } = bed(change);
    const both = nodes.map((node) => ({ ...node, facts: nodes[1]?.facts ?? null }));
    return isSo({ regime: "takeover", nodes: both, cronFile: path });
  };
  expect(so({ mode: "enforce", text: `#${rewind}\n#${pool}\n` })).toBe(true);
  expect(so({ mode: "enforce" })).toBe(false);
  expect(so({ mode: "maintenance", text: `#${rewind}\n` })).toBe(false);
});
