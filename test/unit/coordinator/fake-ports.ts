import { pino } from "pino";
import type { CommandArgs, CommandKind, CommandResult } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { createShownPlans } from "#coordinator/operations/shown-plans.ts";
import type { NewOperation } from "#coordinator/operations/start-operation.ts";
import type {
  AgentView,
  ClusterFiles,
  CoordinatorPorts,
  Fleet,
  LoadedCluster,
} from "#coordinator/ports.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { parseClusterFile } from "#coordinator/cluster-file/parse.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import { goodProbes } from "./good-probes.ts";
import { situationOf, type World } from "./world.ts";

type AskedQuestion = {
  readonly node: string;
  readonly kind: CommandKind;
  readonly args: unknown;
};

/** The coordinator's ports over a world of facts: every question and every start is kept. */
export type FakePorts = CoordinatorPorts & {
  readonly asked: AskedQuestion[];
  readonly started: NewOperation[];
  readonly created: Map<string, string>;
  leaseHolder: OperationRecord | null;
  readonly start: (operation: NewOperation) => OperationRecord;
  /** Answers instead of the world's; undefined leaves it to the world. */
  answer: (node: string, kind: CommandKind) => object | Failure | undefined;
};

export function createFakePorts(world: World): FakePorts {
  const asked: AskedQuestion[] = [];
  const started: NewOperation[] = [];
  const created = new Map<string, string>();
  const yaml = printClusterYaml(world.declaration);
  const loaded = (name: string, text: string): LoadedCluster => ({
    file: `/clusters/${name}.yaml`,
    yaml: text,
    hash: "0".repeat(64),
    declaration: parseClusterFile(`${name}.yaml`, text),
  });
  const clusterFiles: ClusterFiles = {
    names: () => [world.declaration.name, ...created.keys()],
    load: (name) => {
      const text = name === world.declaration.name ? yaml : created.get(name);
      if (text === undefined) throw new Failure("NOT_FOUND", `There is no cluster ${name}.`);
      return loaded(name, text);
    },
    create: (name, text) => {
      created.set(name, text);
      return loaded(name, text);
    },
    addNode: (name) => loaded(name, yaml),
    takeNode: () => "absent",
    removeNode: (name) => loaded(name, yaml),
    putNodeBack: (name) => loaded(name, yaml),
  };
  const fleet: Fleet = {
    agent: (node) => world.agents.get(node) ?? null,
    agents: () => [...world.agents.values()],
    observe: async (nodes) => {
      for (const node of nodes) {
        if (world.agents.get(node)?.connected !== true) {
          throw new Failure("NODE_UNREACHABLE", `${node} is away`);
        }
      }
    },
    watch: () => ({ [Symbol.dispose]: () => undefined }),
    tellBaselines: () => undefined,
    ask: async <K extends CommandKind>(node: string, kind: K, args: CommandArgs<K>) => {
      asked.push({ node, kind, args });
      const given = ports.answer(node, kind);
      if (given instanceof Failure) throw given;
      return (given ?? worldAnswer(world, node, kind)) as CommandResult<K>; // answers of the builder, by kind
    },
  };
  const ports: FakePorts = {
    asked,
    started,
    created,
    leaseHolder: null,
    answer: () => undefined,
    start: (operation) => {
      started.push(operation);
      return operationRecord(operation);
    },
    clock: { now: () => 0, elapsedMs: () => 0, sleep: async () => undefined },
    log: pino({ level: "silent" }),
    // Only who holds the cluster is asked of the journal here.
    store: { leaseHolder: () => ports.leaseHolder } as unknown as CoordinatorPorts["store"],
    fleet,
    clusterFiles,
    shownPlans: createShownPlans(),
  };
  return ports;
}

export function operationRecord(operation: NewOperation): OperationRecord {
  const { kind, cluster, subject, requestedBy, plan, onFailure } = operation;
  return {
    id: "op-12345678",
    kind,
    cluster,
    subject,
    requestedBy,
    requestedAt: 0,
    onFailure,
    state: "running",
    plan,
    steps: [],
    startedAt: 0,
    endedAt: null,
    failure: null,
    restores: 0,
  };
}

function worldAnswer(world: World, node: string, kind: CommandKind): unknown {
  const probes = goodProbes(situationOf(world));
  if (kind === "probe-target") return probes.target?.answer;
  if (kind === "probe-logins") return probes.logins?.answer;
  if (kind === "measure-wal-rate") return probes.walRate?.answer;
  if (kind === "probe-reach") {
    const isNewcomer = node === world.request.node;
    return (isNewcomer ? probes.reachFromNewcomer : probes.reachToNewcomer.get(node))?.answer;
  }
  if (kind !== "measure-throughput") throw new Failure("INTERNAL", `nobody should ask ${kind}`);
  if (node !== world.request.node) return probes.throughput?.answer;
  throw new Failure("AUTHENTICATION_FAILED", "28000: no pg_hba.conf entry");
}

export function agentAway(world: World, node: string): void {
  const view = world.agents.get(node);
  if (view === undefined) throw new Error(`no agent ${node}`);
  const away: AgentView = { ...view, connected: false, factsAreCurrent: false };
  world.agents.set(node, away);
}
