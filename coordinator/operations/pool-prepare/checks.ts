import { isSameAddress } from "#shared/domain/addresses.ts";
import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import { Failure } from "#shared/errors.ts";
import type { LoadedCluster } from "../../ports.ts";
import { configuredRows } from "../add-node/registration.ts";
import type { KnownNode } from "../add-node/situation.ts";
import type { CheckResult } from "../plan.ts";

export type PoolPrepareFacts = {
  readonly cluster: LoadedCluster;
  readonly existing: readonly KnownNode[];
  readonly managers: readonly KnownNode[];
  readonly node: NodeDeclaration;
};

type Verdict = readonly [node: string | null, isRight: boolean, found: string, fix: string];

/** The few things that matter for a row alone. @throws Failure PREFLIGHT_FAILED */
export function checkPoolPrepare(facts: PoolPrepareFacts): readonly CheckResult[] {
  const { managers } = facts;
  const rows: readonly (readonly [id: string, title: string, verdicts: readonly Verdict[]])[] = [
    ["node-name-free", "No node of the cluster has this name", [nameVerdict(facts)]],
    ["address-free", "No node of the cluster has this address and port", [addressVerdict(facts)]],
    ["agent-connected", "The agent of every pool's host is connected", managers.map(agentVerdict)],
    ["pool-running", "Every pool runs and answers", managers.map(poolVerdict)],
    [
      "backend-free",
      "The row's number is free in every file",
      managers.map((m) => rowVerdict(m, facts.node)),
    ],
  ];
  const checks = rows.flatMap(([id, title, verdicts]) =>
    verdicts.map(([node, isRight, found, fix]): CheckResult => ({
      id,
      title,
      node,
      status: isRight ? "pass" : "fail",
      found,
      wanted: title,
      fix: isRight ? "" : fix,
    })),
  );
  const failed = checks.filter(({ status }) => status === "fail");
  const [first] = failed;
  if (first === undefined) return checks;
  throw new Failure("PREFLIGHT_FAILED", `Preflight: ${first.found}. Nothing was touched.`, {
    hint: first.fix,
    evidence: failed.map(
      ({ id, node, found, fix }) => `${id}${node === null ? "" : ` (${node})`}: ${found}. ${fix}`,
    ),
  });
}

function nameVerdict({ cluster, node }: PoolPrepareFacts): Verdict {
  const taken = cluster.declaration.nodes.some(
    ({ name }) => name.toLowerCase() === node.name.toLowerCase(),
  );
  return [
    node.name,
    !taken,
    taken ? `${node.name} is declared already` : node.name,
    "Choose another name.",
  ];
}

function addressVerdict({ existing, node }: PoolPrepareFacts): Verdict {
  const taken = existing.find(
    ({ declared }) => declared.port === node.port && isSameAddress(declared.address, node.address),
  );
  const found = taken === undefined ? node.address : `${node.address} is ${taken.declared.name}`;
  return [node.name, taken === undefined, found, "Give the new host's own address with --address."];
}

function agentVerdict({ declared, agent }: KnownNode): Verdict {
  const isThere = agent?.connected === true && agent.facts !== null;
  return [
    declared.name,
    isThere,
    isThere ? "connected" : "its agent is away",
    `Start castellan-agent on ${declared.name}.`,
  ];
}

function poolVerdict({ declared, facts }: KnownNode): Verdict {
  const pool = facts?.pool ?? null;
  const found = pool?.problem ?? pool?.status ?? "not observed";
  return [declared.name, pool?.status === "running", found, `Start the pool on ${declared.name}.`];
}

function rowVerdict(manager: KnownNode, node: NodeDeclaration): Verdict {
  const rows = configuredRows(manager);
  const { name, pool } = manager.declared;
  if (rows === null)
    return [
      name,
      false,
      `${pool?.configFile ?? "its file"} can't be read`,
      "Correct the pool's paths in agent.yaml.",
    ];
  const taken = rows.find(({ id }) => id === node.backendId);
  const isFree =
    taken === undefined ||
    (isSameAddress(taken.hostname, node.address) && taken.port === node.port);
  const found =
    taken === undefined
      ? `backend ${node.backendId ?? "?"} is free`
      : `backend ${taken.id} is ${taken.hostname}`;
  return [
    name,
    isFree,
    found,
    "Rows are never used again for another node: correct the pool's file.",
  ];
}
