import { expect } from "vitest";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ClusterOptions } from "#test/harness/cluster-model.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** A cluster with pools under a coordinator that knows it, and what its rules say of it as it was built. */
export type RuleBed = AsyncDisposable & {
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  /** Causes that stand from the start: the defaults of the products are not above the rules. */
  readonly standing: ReadonlySet<string>;
};

export async function ruleBed(options: Omit<ClusterOptions, "nodes" | "pool">): Promise<RuleBed> {
  const lab = await testLab({
    hosts: [
      { name: "srv127", address: "192.168.4.127" },
      { name: "srv129", address: "192.168.4.129" },
      { name: "coord", address: "192.168.4.10" },
    ],
  });
  const cluster = await createCluster(lab, { nodes: ["srv127", "srv129"], pool: true, ...options });
  const castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  // Nobody lets the virtual addresses in as it was built: with that said, everything was judged.
  const standing = await waitFor(
    async () => {
      const alerts = await ruleAlerts(castellan);
      const addresses = alerts.find(({ cause }) => cause === "rule:ESHA:hba-virtual-addresses");
      const isJudged = ["srv127", "srv129"].every((node) => addresses?.detail.includes(`\n- ${node} `)); // prettier-ignore
      return isJudged ? alerts : null;
    },
    { timeoutMs: 20_000, what: "the rules to be judged for the first time" },
  );
  return {
    cluster,
    castellan,
    standing: new Set(standing.map(({ cause }) => cause)),
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

/** Those that stand because a rule is broken, as `castellan alert list --json` shows them. */
export async function ruleAlerts(castellan: Castellan): Promise<readonly AlertRecord[]> {
  const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list"]);
  return alerts.filter(({ cause }) => cause.startsWith("rule:"));
}

/** Waits until each of these rules is broken on its node (null: the cluster), and answers those alerts. */
export async function untilBroken(
  { castellan, standing }: RuleBed,
  wanted: readonly (readonly [rule: string, node: string | null])[],
): Promise<readonly AlertRecord[]> {
  let missing: readonly string[] = [];
  const alerts = await waitFor(
    async () => {
      const found = (await ruleAlerts(castellan)).filter(({ cause }) => !standing.has(cause));
      missing = wanted
        .filter(([rule, node]) => !found.some((a) => a.rule === rule && a.node === node))
        .map(([rule, node]) => `${rule} on ${node ?? "the cluster"}`);
      return missing.length === 0 ? found : null;
    },
    { timeoutMs: 60_000, what: "the alerts of the broken rules" },
  ).catch((error: unknown) => {
    throw new Error(`not alerted: ${missing.join(", ")}`, { cause: error });
  });
  for (const alert of alerts) {
    expect(alert.fix, alert.cause).toBeTruthy();
    expect(alert.detail, alert.cause).toMatch(/^rule: .*\nfound: .*\nwanted: /);
  }
  return alerts;
}

/** Waits until no rule is broken but those that were from the start. */
export async function untilMended({ castellan, standing }: RuleBed): Promise<void> {
  let left: readonly string[] = [];
  await waitFor(
    async () => {
      const alerts = await ruleAlerts(castellan);
      left = alerts.flatMap(({ cause }) => (standing.has(cause) ? [] : [cause]));
      return left.length === 0;
    },
    { timeoutMs: 60_000, what: "the alerts of the mended rules to be over" },
  ).catch((error: unknown) => {
    throw new Error(`still alerted: ${left.join(", ")}`, { cause: error });
  });
}

/** Waits until none of these rules is broken anywhere. */
export async function untilOver({ castellan }: RuleBed, rules: readonly string[]): Promise<void> {
  await waitFor(
    async () => (await ruleAlerts(castellan)).every(({ rule }) => !rules.includes(rule ?? "")),
    { timeoutMs: 20_000, what: `${rules.join(" and ")} to be kept` },
  );
}

type FileEdit = {
  readonly node: string;
  readonly file: string;
  /** Text that must stand there, and what takes its place; or what is put behind the last line. */
  readonly change: readonly [from: string | RegExp, to: string] | string;
};

/** Edits files as a person would, and answers how to put all of them back. */
export async function editFiles(
  { cluster }: RuleBed,
  edits: readonly FileEdit[],
): Promise<() => Promise<void>> {
  const ownFile = { owner: cluster.lane.osUser, mode: 0o600 };
  const before = new Map<string, Before>();
  const after = new Map<string, string>();
  for (const { node, file, change } of edits) {
    const { host } = cluster.node(node);
    const key = `${node}:${file}`;
    if (!before.has(key) && !host.exists(file)) {
      before.set(key, { text: "", put: (content) => host.writeFile(file, content, ownFile) });
      after.set(key, "");
    } else if (!before.has(key)) {
      const text = await host.readFile(file);
      const { stdout } = await host.exec(["stat", "-c", "%U %a", file]);
      const [owner = "root", mode = "600"] = stdout.trim().split(" ");
      const own = { owner, mode: Number.parseInt(mode, 8) };
      before.set(key, { text, put: (content) => host.writeFile(file, content, own) });
      after.set(key, text);
    }
    const text = after.get(key) ?? "";
    const edited = typeof change === "string" ? text + change : text.replace(...change);
    if (edited === text) throw new Error(`${key} has no ${String(change[0])}:\n${text}`);
    after.set(key, edited);
  }
  for (const [key, { put }] of before) await put(after.get(key) ?? "");
  return async () => {
    for (const { text, put } of before.values()) await put(text);
  };
}

type Before = {
  /** Empty for a file that was not there. */
  readonly text: string;
  readonly put: (content: string) => Promise<void>;
};
