import { parseCron, type VendorCronLine, type VendorJob } from "#shared/config-files/cron-lines.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import type { CommandKind } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { allowHint } from "../../guard/offers.ts";
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
type Wrong = {
  readonly found: string;
  /** The lines that it is about. */
  readonly seen?: readonly string[];
  readonly fix: string;
};

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
      nodes.map((node) => ({ id, title, node: node.declared.name, wrong: wrong(node, cronFile) })),
    );
  const failed = results.flatMap(({ node, wrong }) => (wrong === null ? [] : [{ node, ...wrong }]));
  const [first, ...others] = failed;
  if (first === undefined) {
    return results.map(({ id, title, node }) => ({ id, title, node, status: "pass", found: "so it is", wanted: title, fix: "" })); // prettier-ignore
  }
  throw new Failure("PREFLIGHT_FAILED", `${first.node}: ${first.found}. Nothing was touched.`, {
    hint: first.fix,
    evidence: [
      ...(first.seen ?? []),
      ...others.flatMap(({ node, found, seen = [], fix }) => [`${node}: ${found}`, ...seen, `  ${fix}`]),
    ],
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
              fix: `On ${declared.name}, as root: systemctl start castellan-agent`,
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
          fix: allowHint(declared.name, missing),
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
              found: `no root helper offers ${helperVerb[regime]}`,
              fix: `On ${declared.name}, as root: node castellan-root.js install (docs/root-helper.md). It prints the line for agent.yaml.`,
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
  wrong: (node, cronFile) => {
    const { declared, facts } = node;
    const file = facts?.files.find(({ path }) => path === cronFile);
    if (facts === null || cronFile === null) return null;
    if (file === undefined || file.state === "absent") {
      return {
        found: `${cronFile} is missing`,
        fix: `On ${declared.name}, as root: touch ${cronFile}, if the vendor's lines are nowhere else`,
      };
    }
    if (file.maskedText === null) return unseen(node, file);
    const { vendor } = parseCron(file.maskedText, file.path);
    const twice = jobs.find((job) => vendor[job].state === "duplicate");
    if (twice === undefined) return null;
    return {
      found: `${cronFile} has a vendor line twice`,
      seen: vendor[twice].lines.map((line) => toldLine(file.path, line)),
      fix: `On ${declared.name}, as root: take one of them out. The vendor's scripts refuse both, too.`,
    };
  },
};

const cronElsewhere: Check = {
  id: "cron-elsewhere",
  title: "No other cron file runs the vendor's checks",
  vendorOnly: true,
  wrong: (node, cronFile) => {
    const others = (node.facts?.files ?? []).filter(
      ({ format, path, state }) => format === "cron" && path !== cronFile && state !== "absent",
    );
    const locked = others.find(({ maskedText }) => maskedText === null);
    if (locked !== undefined) return unseen(node, locked);
    const active = others.find((file) => activeIn(file).length > 0);
    if (active === undefined) return null;
    return {
      found: `${active.path} runs the vendor's checks`,
      seen: others.flatMap(activeIn),
      fix: `On ${node.declared.name}, as root: put # before them. Only the vendor's own file is edited for you.`,
    };
  },
};

function unseen({ declared }: KnownNode, { path, state }: FileFacts): Wrong {
  return {
    found: `${path} is ${state}`,
    fix:
      state === "unreadable"
        ? `On ${declared.name}, as root: chmod 0644 ${path}. Its agent must see what cron runs.`
        : `On ${declared.name}, as root: put an ordinary file there. Its agent must see what cron runs.`,
  };
}

function activeIn({ path, maskedText }: FileFacts): readonly string[] {
  const { vendor } = parseCron(maskedText ?? "", path);
  return jobs
    .flatMap((job) => vendor[job].lines)
    .filter(({ hashes }) => hashes === 0)
    .map((line) => toldLine(path, line));
}

function toldLine(path: string, { line, hashes, command }: VendorCronLine): string {
  return `${path}:${line} ${hashes === 0 ? "runs" : "would run"} ${command}`;
}
