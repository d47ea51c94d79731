import type { CommandResult, Upstream } from "#shared/domain/commands.ts";
import type { Fleet } from "../../ports.ts";
import { ask } from "./ask.ts";
import type { Asked, KnownNode, Situation } from "./situation.ts";

export type ThroughputMeasured = {
  readonly asked: Asked<CommandResult<"measure-throughput">> | null;
  /** Who measured; null when nobody could. */
  readonly from: string | null;
};

const firstBytes = 1024 * 1024;
const mostBytes = 64 * 1024 * 1024;
/** The second, longer sample is sized to take about this long. */
const sampleSeconds = 0.15;

/**
 * Bandwidth to the source, measured from the new host. Before its hba lines are open it may not log in: then a standby
 * that may measures in its place, which is right where the hosts stand in one network.
 */
export async function measureThroughput(
  fleet: Fleet,
  situation: Situation,
): Promise<ThroughputMeasured> {
  const { newcomer, source, existing } = situation;
  if (source === null) return { asked: null, from: null };
  const substitutes = existing.filter((node) => node !== source);
  let last: Asked<CommandResult<"measure-throughput">> | null = null;
  for (const node of [newcomer, ...substitutes]) {
    if (fleet.agent(node.declared.name)?.connected !== true) continue;
    const asked = await sample(fleet, situation, node, source);
    if (asked.answer !== null) return { asked, from: node.declared.name };
    last ??= asked;
  }
  return { asked: last, from: null };
}

async function sample(
  fleet: Fleet,
  situation: Situation,
  node: KnownNode,
  source: KnownNode,
): Promise<Asked<CommandResult<"measure-throughput">>> {
  const { name: database, maintenanceUser: user } = situation.declaration.database;
  const { name, address: host, port } = source.declared;
  const upstream: Upstream = { node: name, host, port, user, database };
  const first = await ask(fleet, node, "measure-throughput", { upstream, bytes: firstBytes });
  if (first.answer === null) return first;
  const bytes = Math.min(mostBytes, Math.round(first.answer.bytesPerSecond * sampleSeconds));
  // On a slow line the first sample took long enough to be believed.
  if (bytes <= firstBytes) return first;
  const second = await ask(fleet, node, "measure-throughput", { upstream, bytes });
  return second.answer === null ? first : second;
}
