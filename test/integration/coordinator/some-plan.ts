import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import type { NewOperation } from "#coordinator/operations/start-operation.ts";
import type { Plan, PlanStep } from "#coordinator/operations/plan.ts";

const paths = {
  root: null,
  binDirectory: "/usr/lib/postgresql/15/bin",
  dataDirectory: "/data",
  configFile: "/data/postgresql.conf",
  hbaFile: "/data/pg_hba.conf",
  identFile: "/data/pg_ident.conf",
};

export const someCluster: ClusterDeclaration = {
  name: "ESHA",
  product: "postgresql",
  pool: "none",
  database: { name: "postgres", replicationUser: "repl", maintenanceUser: "postgres" },
  virtualAddresses: { database: null, pool: null },
  trustAddresses: [],
  nodes: ["srv127", "srv129"].map((name) => ({
    name,
    address: `10.0.0.${name.slice(3)}`,
    port: 5432,
    slot: `slot_${name}`,
    nic: null,
    paths,
    backendId: null,
    pool: null,
  })),
};

const preconditions = { systemIdentifier: null, role: null, timeline: null };

export function slotStep(on: string, slot = "slot_srv159"): PlanStep {
  return {
    id: `create-slot/${on}`,
    phase: "slots",
    title: `make slot ${slot} on ${on}`,
    preview: [],
    on,
    kind: "create-slot",
    args: { slot, forNode: "srv159", reserve: false, walBudgetBytes: null },
    preconditions,
  };
}

export function startStep(on: string): PlanStep {
  return {
    id: `start-database/${on}`,
    phase: "start",
    title: `start the database on ${on}`,
    preview: [],
    on,
    kind: "start-database",
    args: { dataDirectory: "/data", stallMs: 1_000 },
    preconditions,
  };
}

export function proofStep(on: string): PlanStep {
  return {
    id: `prove-login/${on}`,
    phase: "hba",
    title: `log in from ${on}`,
    preview: [],
    on,
    kind: "prove-login",
    args: {
      logins: [{ host: "10.0.0.127", port: 5432, user: "repl", database: "replication", replication: true, secret: "replication" }], // prettier-ignore
    },
    preconditions,
  };
}

export function hbaStep(on: string): PlanStep {
  return {
    id: `open-hba/${on}`,
    phase: "hba",
    title: `open the hba of ${on}`,
    preview: [],
    on,
    kind: "open-hba",
    args: {
      file: "/data/pg_hba.conf",
      rules: [{ type: "host", database: "replication", user: "repl", address: "10.0.0.159/32", method: "md5" }], // prettier-ignore
    },
    preconditions,
  };
}

export function somePlan(...steps: readonly PlanStep[]): Plan {
  return {
    declaration: someCluster,
    declarationHash: "0".repeat(64),
    checks: [],
    forecast: null,
    steps,
    notes: [],
  };
}

export function someOperation(plan: Plan, change: Partial<NewOperation> = {}): NewOperation {
  return {
    kind: "add-node",
    cluster: "ESHA",
    subject: "srv159",
    requestedBy: "dba@host",
    plan,
    onFailure: "pause",
    ...change,
  };
}
