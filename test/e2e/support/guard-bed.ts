import { expect } from "vitest";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { Decision } from "#shared/domain/guard.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ClusterOptions } from "#test/harness/cluster-model.ts";
import type { Host, HostSpec } from "#test/harness/host.ts";
import type { Lab } from "#test/harness/lab.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { enforce } from "./guard.ts";

/** What is to be replaced in agent.yaml: each has to be there. */
type Edits = readonly (readonly [from: RegExp, to: string])[];

export type GuardBed = AsyncDisposable & {
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  /** Of the coordinator, outside the cluster. */
  readonly coord: Host;
  /** What the guard of a node has come to, the oldest first: it is on its disk. */
  decisions(node: string): Promise<readonly Decision[]>;
  decided(node: string, rule: string, outcome: Decision["outcome"]): Promise<Decision>;
  /** Open or acknowledged. */
  alertOf(cause: string): Promise<AlertRecord | undefined>;
  untilAlert(cause: string): Promise<AlertRecord>;
  /** The agent of a node is started anew with these settings. */
  set(node: string, edits: Edits): Promise<void>;
};

const decisionsFile = "/var/lib/castellan-agent/decisions.jsonl";
const agentConfig = "/etc/castellan/agent.yaml";

/** Of the nodes, and of the coordinator. */
export function guardHosts(nodes: readonly string[]): HostSpec[] {
  return [
    ...nodes.map((name) => ({ name, address: `192.168.4.${name.slice(3)}` })),
    { name: "coord", address: "192.168.4.10" },
  ];
}

type GuardBedOptions = {
  /** One that is shared by tests; else it ends with the test at hand. */
  readonly lab?: Lab;
  readonly prepare?: (cluster: TestCluster) => Promise<void>;
};

/** A cluster on hosts of its own, whose guards are in charge. */
export async function guardBed(
  options: ClusterOptions,
  { prepare, ...shared }: GuardBedOptions = {},
): Promise<GuardBed> {
  const lab = shared.lab ?? (await testLab({ hosts: guardHosts(options.nodes) }));
  const coord = lab.host("coord");
  const cluster = await createCluster(lab, options);
  await prepare?.(cluster);
  const castellan = await installCastellan(cluster, { coordinatorHost: coord });
  await castellan.cli(["cluster", "import", cluster.name]);
  await enforce(castellan, cluster.nodes);

  const decisions = async (node: string): Promise<readonly Decision[]> => {
    const { host } = cluster.node(node);
    const text = await host.readFile(decisionsFile).catch(() => ""); // none yet
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => Decision.parse(JSON.parse(line)));
  };
  const alertOf = async (cause: string): Promise<AlertRecord | undefined> =>
    (await castellan.json<readonly AlertRecord[]>(["alert", "list"])).find(
      (alert) => alert.cause === cause,
    );
  return {
    cluster,
    castellan,
    coord,
    decisions,
    decided: (node, rule, outcome) =>
      waitFor(
        async () =>
          (await decisions(node)).find((made) => made.rule === rule && made.outcome === outcome),
        { timeoutMs: 60_000, what: `${rule} to be ${outcome} on ${node}` },
      ),
    alertOf,
    untilAlert: (cause) =>
      waitFor(() => alertOf(cause), { timeoutMs: 60_000, what: `the alert ${cause}` }),
    set: async (node, edits) => {
      const { host } = cluster.node(node);
      let text = await host.readFile(agentConfig);
      for (const [from, to] of edits) {
        expect(text).toMatch(from);
        text = text.replace(from, to);
      }
      await castellan.killAgent(node);
      await host.writeFile(agentConfig, text, { mode: 0o644 });
      await castellan.startAgent(node);
      await castellan.connected([node]);
    },
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}
