import { parseDocument } from "yaml";
import { createApiClient } from "#coordinator/cli/client.ts";
import type { EventRecord } from "#coordinator/store/store.ts";
import { Decision } from "#shared/domain/guard.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ClusterOptions } from "#test/harness/cluster-model.ts";
import type { Host } from "#test/harness/host.ts";
import { createLab } from "#test/harness/lab.ts";
import { monotonicMs, startReceiver, type Receiver } from "../drift/receiver.ts";

export type GuardBed = {
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  readonly receiver: Receiver;
};

/** Moments are of the machine's one clock, which all its hosts have, in milliseconds since 1970. */
export type Told = {
  /** The guard of the host has written its decision down. */
  readonly agentAt: number;
  /** The coordinator has made an alert of it. */
  readonly coordinatorAt: number;
  /** The webhook's body was there. */
  readonly alertAt: number;
};

export const benchHosts = ["srv127", "srv129", "srv159", "coord"].map((name) => ({
  name,
  address: `192.168.4.${name === "coord" ? "10" : name.slice(3)}`,
}));
const toldWithinMs = 60_000;

/** A cluster with agents and a coordinator whose only sink is the receiver; the guards observe. */
export async function withGuardBed<T>(
  options: ClusterOptions,
  work: (bed: GuardBed) => Promise<T>,
): Promise<T> {
  await using lab = await createLab({ hosts: benchHosts });
  await using cluster = await createCluster(lab, options);
  await using receiver = await startReceiver(lab.host("coord"));
  await using castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    settings: `sinks:\n  - { name: bench, kind: webhook, url: "${receiver.url}" }\n`,
  });
  await castellan.cli(["cluster", "import", cluster.name]);
  for (const { host, name } of cluster.nodes) {
    const file = "/etc/castellan/agent.yaml";
    const document = parseDocument(await host.readFile(file));
    // More rounds than the guard would act on in ten minutes.
    document.setIn(["guard", "actions", "most"], 1_000);
    await host.writeFile(file, document.toString(), { mode: 0o644 });
    await castellan.killAgent(name);
    await castellan.startAgent(name);
  }
  await castellan.connected(cluster.nodes.map(({ name }) => name));
  return await work({ cluster, castellan, receiver });
}

/** Runs a shell's line on a host; answers the moment right before it. */
export async function strike(
  host: Host,
  line: string,
  args: readonly string[],
  user = "root",
): Promise<number> {
  const { stdout } = await host.exec(["sh", "-c", `date +%s.%N; ${line}`, "sh", ...args], { user });
  return Number(stdout.split("\n")[0]) * 1000;
}

/** When the webhook had the alert of a rule's finding on a node that began after `since`. */
export async function alertedAt(
  { receiver }: GuardBed,
  node: string,
  rule: string,
  since: number,
): Promise<number> {
  const offset = Date.now() - monotonicMs();
  const cause = `node:${node}:guard:${rule}`;
  const delivery = await receiver.first(
    0,
    (one) => one.cause === cause && one.state !== "resolved" && one.atMs + offset >= since,
    toldWithinMs,
  );
  if (delivery === null) throw new Error(`${cause} was never told`);
  return delivery.atMs + offset;
}

/** When a rule's finding on a node, begun after `since`, came to whom. */
export async function toldOf(
  bed: GuardBed,
  node: string,
  rule: string,
  since: number,
): Promise<Told> {
  const { cluster, castellan } = bed;
  const cause = `node:${node}:guard:${rule}`;
  const alertAt = await alertedAt(bed, node, rule, since);
  const socket = castellan.coordinatorHost.path(`${castellan.stateDirectory}/api.sock`);
  const events = await createApiClient(socket).get<readonly EventRecord[]>("/events?newest=200");
  const known = events.filter(
    (event) =>
      /^alert:(opened|reopened)$/.test(event.kind) &&
      event.at >= Math.floor(since) &&
      JSON.stringify(event.data).includes(cause),
  );
  const kept = await cluster.node(node).host.readFile("/var/lib/castellan-agent/decisions.jsonl");
  const decided = kept
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Decision.parse(JSON.parse(line)))
    .filter((one) => one.rule === rule && one.outcome !== "cleared" && one.at >= Math.floor(since));
  return {
    agentAt: earliest(decided, `a decision of ${rule} on ${node}`),
    coordinatorAt: earliest(known, `an event of ${cause}`),
    alertAt,
  };
}

/** The alert is over, so that the next round begins with none. */
export async function resolved({ receiver }: GuardBed, node: string, rule: string): Promise<void> {
  const cause = `node:${node}:guard:${rule}`;
  const last = receiver.deliveries.findLastIndex((one) => one.cause === cause);
  const isOver = (one: { readonly cause: string; readonly state: string }): boolean =>
    one.cause === cause && one.state === "resolved";
  if ((await receiver.first(Math.max(0, last), isOver, toldWithinMs)) === null)
    throw new Error(`${cause} was never resolved`);
}

function earliest(moments: readonly { readonly at: number }[], what: string): number {
  if (moments.length === 0) throw new Error(`there is not ${what}`);
  return Math.min(...moments.map(({ at }) => at));
}
