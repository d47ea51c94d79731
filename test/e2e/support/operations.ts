import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** What the tests look at of `operation show --json`. */
export type Operation = {
  readonly id: string;
  readonly state: string;
  readonly requestedBy: string;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly plan: {
    readonly steps: readonly {
      readonly id: string;
      readonly kind: string;
      readonly on: string | null;
    }[];
  };
  readonly steps: readonly {
    readonly state: string;
    readonly attempt: number;
    readonly failure: { readonly code: string; readonly message: string } | null;
    readonly evidence: unknown;
  }[];
};

/** The arguments of `node add` for the cluster's new node, not asking for confirmation. */
export function addArguments({ name, newNode }: TestCluster, ...more: string[]): readonly string[] {
  if (newNode === null) throw new Error(`${name} was built without a new node`);
  return ["node", "add", name, newNode.name, "--address", newNode.address, "--yes", ...more];
}

export async function newestOperation(castellan: Castellan): Promise<Operation | null> {
  const [newest] = await castellan.json<readonly { readonly id: string }[]>(["operation", "list"]);
  return newest === undefined ? null : castellan.json<Operation>(["operation", "show", newest.id]);
}

export async function untilOperation(
  castellan: Castellan,
  id: string,
  isThere: (operation: Operation) => boolean,
  timeoutMs = 90_000,
): Promise<Operation> {
  let last: Operation | null = null;
  return waitFor(
    async () => {
      last = await castellan.json<Operation>(["operation", "show", id]);
      return isThere(last) ? last : null;
    },
    { timeoutMs, intervalMs: 100, what: `operation ${id} to get there` },
  ).catch((cause: unknown) => {
    const seen = `${last?.state ?? "nothing"}: ${last?.failure?.message ?? "no failure"}`;
    throw new Error(`${String(cause)}; it was last seen ${seen}`, { cause });
  });
}

/** The state of the first step of that kind, with its attempt. */
export function stepOf(
  operation: Operation,
  kind: string,
  on?: string,
): Operation["steps"][number] {
  const index = operation.plan.steps.findIndex(
    (step) => step.kind === kind && (on === undefined || step.on === on),
  );
  const step = operation.steps[index];
  if (step === undefined) throw new Error(`the plan has no step ${kind}`);
  return step;
}

/** Pid and start time of the copy that runs on the new host: together one process and no other. */
export async function backupProcess({ host }: ClusterNode): Promise<string> {
  const { stdout } = await host.exec(["ps", "-eo", "pid=,lstart=,args="]);
  // Programs are also asked for their version. With -X stream the copy has a child: the older one is meant.
  const found = stdout.split("\n").filter((line) => /\/(?:pg|sys)_basebackup .*slot/.test(line));
  return found[0]?.trim() ?? "";
}

/** Until a preflight has nothing against the new node: a test has put something right again. */
export async function untilWell(
  castellan: Castellan,
  { name, newNode }: TestCluster,
): Promise<void> {
  if (newNode === null) throw new Error(`${name} was built without a new node`);
  const preflight = ["preflight", name, newNode.name, "--address", newNode.address];
  let said = "";
  await waitFor(
    async () => {
      const { exitCode, stdout } = await castellan.cli(preflight, { reject: false });
      said = stdout;
      return exitCode === 0;
    },
    { timeoutMs: 30_000, intervalMs: 250, what: `${name} to be well again` },
  ).catch((cause: unknown) => {
    throw new Error(`${String(cause)}; preflight said ${said}`, { cause });
  });
}
