import { parseCron, type VendorJob } from "#shared/config-files/cron-lines.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import type { CommandKind } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { KnownNode } from "../add-node/situation.ts";
import type { CheckResult } from "../plan.ts";

export type Regime = "takeover" | "handback";

type Check = {
  readonly id: string;
  readonly title: string;
  /** null: it is so. */
  readonly wrong: (node: KnownNode, cronFile: string | null) => Wrong | null;
  /** Only where the product has checks of its own. */
  readonly vendorOnly?: true;
};
type Wrong = { readonly found: string; readonly fix: string };

const verbsOf: Readonly<Record<Regime, readonly CommandKind[]>> = {
  takeover: ["take-over-cron", "set-guard-mode"],
  handback: ["hand-back-cron", "set-guard-mode"],
};
const helperVerb: Readonly<Record<Regime, string>> = {
  takeover: "cron-comment",
  handback: "cron-restore",
};

/** All nodes or none: one that is wrong stops here. @throws Failure PREFLIGHT_FAILED */
export function checkRegime(
  regime: Regime,
  nodes: readonly KnownNode[],
  cronFile: string | null,
): readonly CheckResult[] {
  const results = checksOf(regime)
    .filter((check) => cronFile !== null || check.vendorOnly !== true)
    .flatMap(({ id, title, wrong }) =>
      nodes.map((node): CheckResult => {
        const problem = wrong(node, cronFile);
        return {
          id,
          title,
          node: node.declared.name,
          status: problem === null ? "pass" : "fail",
          found: problem?.found ?? "so it is",
          wanted: title,
          fix: problem?.fix ?? "",
        };
      }),
    );
  const failed = results.filter(({ status }) => status === "fail");
  const [first] = failed;
  if (first === undefined) return results;
  throw new Failure("PREFLIGHT_FAILED", `Preflight: ${first.node}: ${first.found}. Nothing was touched.`, {
    hint: first.fix,
    evidence: failed.map(({ id, node, found, fix }) => `${id} (${node}): ${found}. ${fix}`),
  }); // prettier-ignore
}

function checksOf(regime: Regime): readonly Check[] {
  return [
    {
      id: "agent-connected",
      title: "The agent of every node is connected",
      wrong: ({ declared, agent, facts }) =>
        agent?.connected === true && facts !== null
          ? null
          : {
              found: "its agent is away",
              fix: `Start castellan-agent on ${declared.name}: all nodes change over, or none.`,
            },
    },
    {
      id: "agent-verbs",
      title: "Every agent admits what is asked of it",
      wrong: ({ declared, facts }, cronFile) => {
        const missing = verbsOf[regime].filter(
          (verb) =>
            facts?.agent.verbs.includes(verb) === false &&
            (cronFile !== null || verb === "set-guard-mode"),
        );
        if (facts === null || missing.length === 0) return null;
        return {
          found: `its agent does not offer ${missing.join(" and ")}`,
          fix: `On ${declared.name}: install this version of the agent, add ${missing.join(", ")} to allow.verbs in agent.yaml, restart it.`,
        };
      },
    },
    {
      id: "root-helper",
      title: "The root helper of every node edits the vendor's cron file",
      vendorOnly: true,
      wrong: ({ declared, facts }) =>
        facts === null || facts.host.rootHelperVerbs.includes(helperVerb[regime])
          ? null
          : {
              found: `the root helper does not offer ${helperVerb[regime]}: nobody may edit the vendor's cron file`,
              fix: `On ${declared.name}, as root: node castellan-root.js install (docs/root-helper.md), rootHelper in agent.yaml, restart the agent.`,
            },
    },
    ...(regime === "takeover" ? [cronLines, cronElsewhere] : []),
  ];
}

const jobs: readonly VendorJob[] = ["network-rewind", "restart-cluster"];

const cronLines: Check = {
  id: "cron-lines",
  title: "Each of the vendor's lines stands once in its cron file, or not at all",
  vendorOnly: true,
  wrong: ({ declared, facts }, cronFile) => {
    const file = facts?.files.find(({ path }) => path === cronFile);
    if (facts === null || cronFile === null) return null;
    if (file === undefined || file.state === "absent") {
      return {
        found: `${cronFile} is missing`,
        fix: `Look where ${declared.name} keeps the vendor's lines; make ${cronFile} with them, commented, if it has none.`,
      };
    }
    if (file.state !== "present" || file.maskedText === null) {
      return {
        found: `${cronFile} is ${file.state}: nobody can say what cron runs`,
        fix: `Let the agent's user read it: chmod 0644 ${cronFile}`,
      };
    }
    const { vendor } = parseCron(file.maskedText, file.path);
    const twice = jobs.find((job) => vendor[job].state === "duplicate");
    if (twice === undefined) return null;
    const where = vendor[twice].lines.map(({ line }) => line).join(" and ");
    return {
      found: `${cronFile} has a ${twice} line twice (${where})`,
      fix: "Take one of them out: the vendor's scripts refuse to work with both, too.",
    };
  },
};

const cronElsewhere: Check = {
  id: "cron-elsewhere",
  title: "No other cron file runs the vendor's checks",
  vendorOnly: true,
  wrong: ({ facts }, cronFile) => {
    const active = (facts?.files ?? [])
      .filter((file) => file.format === "cron" && file.path !== cronFile)
      .flatMap(activeIn);
    if (active.length === 0) return null;
    return {
      found: active.join("; "),
      fix: "Comment these lines by hand: only the product's own file is edited.",
    };
  },
};

function activeIn({ path, maskedText }: FileFacts): readonly string[] {
  if (maskedText === null) return [];
  const { vendor } = parseCron(maskedText, path);
  return jobs
    .flatMap((job) => vendor[job].lines)
    .filter(({ hashes }) => hashes === 0)
    .map(({ line, command }) => `${path}:${line} runs ${command}`);
}
