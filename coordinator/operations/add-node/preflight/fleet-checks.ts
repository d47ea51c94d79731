import { commandKinds, type CommandKind } from "#shared/domain/commands.ts";
import { parseSyncList } from "#shared/domain/sync-list.ts";
import { productOf } from "#shared/products/product.ts";
import { type KnownNode, setting, type Situation } from "../situation.ts";
import { always, type Check, fail, nameOf, pass, type Verdict, warn } from "./check.ts";

const everyone = (situation: Situation): readonly KnownNode[] => [
  ...situation.existing,
  situation.newcomer,
];
const present = (situation: Situation): readonly KnownNode[] =>
  everyone(situation).filter((node) => node.agent?.connected === true && node.facts !== null);

/** The agents: there, of this version, allowed to do what the plan needs, with clocks that agree. */
export const fleetChecks: readonly Check[] = [
  {
    id: "agent-connected",
    title: "The agent of every node is connected",
    wanted: "connected",
    applies: always,
    evaluate: (s) => everyone(s).map((node) => connected(node)),
  },
  {
    id: "agent-version",
    title: "Every agent has the coordinator's version",
    wanted: "the coordinator's version",
    applies: always,
    evaluate: (s) =>
      present(s).map((node): Verdict => {
        const version = node.agent?.agentVersion ?? "unknown";
        const found = `agent ${version}, coordinator ${s.coordinatorVersion}`;
        if (version === s.coordinatorVersion) return pass(nameOf(node), `agent ${version}`);
        const fix = `Install castellan-agent ${s.coordinatorVersion} on ${nameOf(node)} and restart it.`;
        // Commands may differ between minor versions; patches keep them.
        const isNear = minorOf(version) === minorOf(s.coordinatorVersion);
        return isNear ? warn(nameOf(node), found, fix) : fail(nameOf(node), found, fix);
      }),
  },
  {
    id: "agent-product",
    title: "Every agent is set up for the cluster's product",
    wanted: "the product that the declaration names",
    applies: always,
    evaluate: (s) =>
      present(s).map((node): Verdict => {
        const found = node.facts?.agent.product ?? s.declaration.product;
        if (found === s.declaration.product) return pass(nameOf(node), productOf(found).title);
        return fail(
          nameOf(node),
          `${productOf(found).title}`,
          `Correct "product" in agent.yaml on ${nameOf(node)}, or the cluster's declaration.`,
          s.product.title,
        );
      }),
  },
  {
    id: "agent-verbs",
    title: "Every agent's own allow-list admits the commands of this plan",
    wanted: "all verbs that the plan uses there",
    applies: always,
    evaluate: (s) =>
      present(s).map((node): Verdict => {
        const allowed = new Set(node.facts?.agent.verbs ?? []);
        const missing = verbsFor(s, node).filter((verb) => !allowed.has(verb));
        if (missing.length === 0) return pass(nameOf(node), "all needed verbs");
        return fail(
          nameOf(node),
          `not allowed: ${missing.join(", ")}`,
          `Add them to allow.verbs in agent.yaml on ${nameOf(node)} and restart the agent.`,
        );
      }),
  },
  {
    id: "agent-pool",
    title: "The agents of management nodes know the cluster's pool",
    wanted: "the pool that the declaration names",
    applies: (s) => s.declaration.pool !== "none",
    evaluate: (s) =>
      s.managers
        .filter((node) => node.facts !== null)
        .map((node): Verdict => {
          const kind = node.facts?.agent.poolKind ?? "none";
          if (kind === s.declaration.pool) return pass(nameOf(node), kind);
          return fail(
            nameOf(node),
            kind,
            `Set "pool" in agent.yaml on ${nameOf(node)}, or correct cluster.pool.kind.`,
            s.declaration.pool,
          );
        }),
  },
  {
    id: "clock",
    title: "Every clock agrees with the coordinator's",
    wanted: "at most 2 s apart",
    applies: always,
    evaluate: (s) =>
      present(s).map((node): Verdict => {
        const offset = node.agent?.clockOffsetMs ?? null;
        const fix = `Set the clock of ${nameOf(node)} (chronyc makestep), and keep it set.`;
        if (offset === null) return warn(nameOf(node), "not measured yet", fix);
        const found = `${(Math.abs(offset) / 1_000).toFixed(1)} s ${offset < 0 ? "behind" : "ahead"}`;
        if (Math.abs(offset) > 300_000) return fail(nameOf(node), found, fix);
        if (Math.abs(offset) > 2_000) return warn(nameOf(node), found, fix);
        return pass(nameOf(node), `${Math.abs(offset)} ms apart`);
      }),
  },
  {
    id: "questions-answered",
    title: "Every question of the preflight was answered",
    wanted: "an answer",
    applies: always,
    evaluate: (s) => unanswered(s),
  },
];

function connected(node: KnownNode): Verdict {
  const name = nameOf(node);
  if (node.agent === null) {
    return fail(
      name,
      "no agent ever joined",
      `castellan token create --node ${name}, and run the line it prints on ${node.declared.address}.`,
    );
  }
  if (!node.agent.connected) {
    return fail(
      name,
      "its agent is away",
      `Start castellan-agent on ${name} (systemctl status castellan-agent).`,
    );
  }
  return node.facts === null
    ? fail(name, "connected, but it has sent no facts yet", "Wait a moment and try again.")
    : pass(name, "connected");
}

/** Verbs by where they are sent. The new host gets nearly all of them. */
function verbsFor(situation: Situation, node: KnownNode): readonly string[] {
  const hasPool = situation.declaration.pool !== "none";
  if (node === situation.newcomer) {
    return commandKinds.filter(
      (kind) =>
        !onManagers.has(kind) &&
        !neverOnNewcomer.has(kind) &&
        !vendorOnly(situation, kind) &&
        (kind !== "set-guard-mode" || situation.guardInCharge),
    );
  }
  return [
    "open-hba",
    "create-slot",
    "probe-reach",
    ...(node === situation.primary ? ["measure-wal-rate"] : []),
    ...(node === situation.primary && isSynchronous(situation) ? ["set-synchronous-list"] : []),
    ...(situation.product.vendor === null ? [] : ["register-ha-lists"]),
    ...(hasPool && node.declared.pool !== null ? onManagers : []),
  ];
}

function isSynchronous({ primary }: Situation): boolean {
  return parseSyncList(setting(primary, "synchronous_standby_names") ?? "").kind === "list";
}

const onManagers: ReadonlySet<string> = new Set([
  "append-backend",
  "hold-door",
  "release-door",
  "attach-backend",
  "prove-backend",
  "prove-reads",
]);

const neverOnNewcomer: ReadonlySet<CommandKind> = new Set<CommandKind>([
  "open-hba",
  "measure-wal-rate",
  "set-synchronous-list",
  "restore-file",
  "set-maintenance",
  "take-over-cron",
  "hand-back-cron",
]);

function vendorOnly(situation: Situation, kind: string): boolean {
  return situation.product.vendor === null && kind === "register-ha-lists";
}

function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

function unanswered(s: Situation): readonly Verdict[] {
  const { probes, newcomer, primary } = s;
  const here = nameOf(newcomer);
  const asked = [
    { node: here, what: "about its directories and programs", asked: probes.target },
    { node: here, what: "to log in to the databases", asked: probes.logins },
    { node: here, what: "to reach the pools", asked: probes.reachFromNewcomer },
    {
      node: primary === null ? null : nameOf(primary),
      what: "how fast it writes WAL",
      asked: probes.walRate,
    },
    ...[...probes.reachToNewcomer].map(([node, answer]) => ({
      node,
      what: `to reach ${here}`,
      asked: answer,
    })),
  ];
  const failed = asked.flatMap(({ node, what, asked: question }) =>
    question === null || question.problem === null
      ? []
      : [
          fail(
            node,
            `asked ${what}: ${question.problem}`,
            "Mend what the answer names and try again.",
          ),
        ],
  );
  return failed.length > 0 ? failed : [pass(null, "all answered")];
}
