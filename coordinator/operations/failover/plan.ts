import { lsnDistance } from "#shared/domain/lsn.ts";
import { Failure } from "#shared/errors.ts";
import type { LoadedCluster } from "../../ports.ts";
import { planFailover } from "../../failover/plan.ts";
import { printBytes } from "../add-node/print-units.ts";
import type { CheckResult, Plan } from "../plan.ts";
import { addressSteps, followSteps, leadSteps } from "../switchover/plan.ts";
import { formerPrimary, standbysOf, type ForcedFailoverSituation } from "./situation.ts";

/** The promotion comes first; what follows it the guards would do, too, where they are in charge. */
export function planForcedFailover(
  situation: ForcedFailoverSituation,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
): Plan {
  const { nodes, successor, to } = situation;
  const candidate = standbysOf(situation).find(({ node }) => node.declared.name === to);
  if (successor === null || candidate === undefined) throw new Failure("INTERNAL", "preflight has let this pass"); // prettier-ignore
  const former = formerPrimary(situation);
  const systemIdentifier = successor.facts?.database.systemIdentifier ?? null;
  const promotion = planFailover(cluster, { ...candidate, node: to, systemIdentifier }, []);
  const standbys = standbysOf(situation).map(({ node }) => node);
  const running = nodes.filter(({ declared, facts }) => declared.pool === null || facts?.pool?.status === "running"); // prettier-ignore
  const canTakeAddress = successor.facts?.host.rootHelperVerbs.includes("vip-add") === true;
  return {
    ...promotion,
    checks,
    steps: [
      ...promotion.steps,
      ...(former === null ? [] : leadSteps(former, successor, { ...situation, nodes: running })),
      ...(canTakeAddress ? addressSteps(successor, situation) : []),
      ...followSteps(successor, standbys),
    ],
    reserves: nodes
      .filter((node) => node.facts !== null && node !== successor && !standbys.includes(node))
      .map(({ declared }) => ({ node: declared.name, classes: ["database", "role"] })),
    notes: [...candidateNotes(situation), ...lossNotes(situation), ...returnNotes(situation)],
  };
}

function candidateNotes(situation: ForcedFailoverSituation): readonly string[] {
  const standbys = standbysOf(situation);
  const [most] = standbys;
  return standbys.map(({ node, position, timeline }) => {
    const behind = lsnDistance(position, most?.position ?? position) ?? 0;
    const isLevel = timeline === most?.timeline && behind <= 0;
    const place = `${node.declared.name}: ${position} on timeline ${timeline}`;
    return isLevel
      ? `${place}, as far as any`
      : `${place}, ${printBytes(behind)} behind ${most?.node.declared.name ?? ""}`;
  });
}

/** A dead server says nothing: what it was last heard to have is all that is known. */
function lossNotes(situation: ForcedFailoverSituation): readonly string[] {
  const former = formerPrimary(situation);
  if (former === null) return [];
  const { name } = former.declared;
  const target = standbysOf(situation).find(({ node }) => node.declared.name === situation.to);
  const last = former.agent?.facts?.database.position ?? null;
  const seenAt = former.agent?.lastSeenAt ?? null;
  if (last === null || seenAt === null || target === undefined) {
    return [`What ${name} wrote and ${situation.to} has not received is lost; how much that is nobody can say.`]; // prettier-ignore
  }
  const missing = Math.max(0, lsnDistance(target.position, last) ?? 0);
  const heard = `${name} was at ${last} when it was last heard (${new Date(seenAt).toISOString()})`;
  return [`${heard}: ${printBytes(missing)} of that, and all that came after it, would be lost.`];
}

function returnNotes(situation: ForcedFailoverSituation): readonly string[] {
  const former = formerPrimary(situation);
  if (former === null) return [];
  const { name } = former.declared;
  const { name: cluster } = situation.declaration;
  return [
    former.facts === null
      ? `${name}, back with its agent, is stopped and marked as a standby by its guard; then: castellan node rejoin ${cluster} ${name}.`
      : `${name} is marked as a standby before anybody is promoted, so that it can't come up as a second primary; then: castellan node rejoin ${cluster} ${name}.`,
  ];
}
