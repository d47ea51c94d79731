import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GuardAnswer } from "#coordinator/api/guard-contract.ts";
import { createScene, type Scene } from "#test/e2e/support/scene.ts";
import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { ExecResult, Host } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const cronFile = "/etc/cron.d/KINGBASECRON";
const sudoers = "/etc/sudoers.d/castellan";
const nodes = ["srv127", "srv129"];
const folder = "/home/kingbase/cluster/ESHA";
const rewind = `${folder}/db/bin/network_rewind.sh`;
const text = `# ours, kept
what no cron understands
*/1 * * * * kingbase  ${rewind}
*/1 * * * * root  ${folder}/kingbasecluster/bin/restartcluster.sh
15 3 * * * kingbase  /home/kingbase/own.sh
`;

let scene: Scene | undefined;
let cluster: TestCluster;
let castellan: Castellan;
let host: Host;

beforeAll(async () => {
  scene = await createScene({ product: "kingbase-v8r3" });
  ({ cluster, castellan } = scene);
  host = cluster.node("srv129").host;
  await putAll(text);
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

const put = (there: Host, file: string, content: string) =>
  there.writeFile(file, content, { mode: 0o644 });

async function putAll(content: string): Promise<void> {
  for (const name of nodes) await put(cluster.node(name).host, cronFile, content);
}

const takeover = (...more: readonly string[]) =>
  castellan.cli(["guard", "takeover", "ESHA", ...more], { reject: false });

async function modes(): Promise<readonly (string | undefined)[]> {
  const { clusters } = await castellan.json<GuardAnswer>(["guard", "status"]);
  return clusters.flatMap((one) => one.nodes.map(({ guard }) => guard?.mode));
}

async function restarted(edit: (yaml: string) => string): Promise<void> {
  const file = "/etc/castellan/agent.yaml";
  await castellan.killAgent("srv129");
  const yaml = await host.readFile(file);
  await host.writeFile(file, edit(yaml));
  expect(await host.readFile(file)).not.toBe(yaml);
  await castellan.startAgent("srv129");
  await castellan.connected(nodes);
}

const modesAre = (...wanted: readonly (string | undefined)[]) =>
  waitFor(async () => isDeepStrictEqual(await modes(), wanted), { what: wanted.join(", ") });

/** All that a refusal must leave as it is: bytes, owners and modes of every cron file; modes of the guards in reach. */
async function standing(): Promise<readonly unknown[]> {
  const files = nodes.map(async (name) => {
    const there = cluster.node(name).host;
    const look = "cd /etc && stat -c '%n %a %U:%G' cron.d/* crontab; cat cron.d/* crontab";
    return (await there.exec(["sh", "-c", look], { reject: false })).stdout;
  });
  return [...(await Promise.all(files)), await modes()];
}

async function refused(ask: () => Promise<ExecResult>, exitCode: number, says: string) {
  const before = await standing();
  const answer = await ask();
  expect([answer.stderr, answer.exitCode]).toEqual([says, exitCode]);
  expect(await standing()).toEqual(before);
}

test.each(["ESHB", "srv129"])("%s, which is no cluster", (name) =>
  refused(
    () => castellan.cli(["guard", "takeover", name, "--yes"], { reject: false }),
    8,
    `castellan: There is no cluster "${name}" in /var/lib/castellan/clusters.
next: Declared are ESHA.`,
  ),
);

test("nobody there to confirm, and Ctrl-C where somebody is", async () => {
  await refused(
    () => takeover(),
    2,
    `castellan: There is no terminal to confirm on; nothing was changed.
next: repeat with --yes, or with --dry-run to see the plan only`,
  );
  const before = await standing();
  const { coordinatorHost, stateDirectory } = castellan;
  const program = `${coordinatorHost.nodePath} ${coordinatorHost.projectPath}/dist/castellan.js`;
  const asking = await coordinatorHost.spawn(
    ["script", "-qec", `${program} --state-dir ${stateDirectory} guard takeover ESHA`, "/dev/null"],
    { user: cluster.lane.osUser },
  );
  let said = "";
  asking.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  await waitFor(() => said.includes("Type ESHA to begin"), { timeoutMs: 30_000 });
  asking.stdin?.write("\u0003");
  expect(await asking.exited, said).toBe(130);
  expect(said.trimEnd().split("\r\n").at(-1)).toBe("Interrupted; nothing was changed.");
  expect(await standing()).toEqual(before);
});

test("a plan that was shown before somebody edited a cron file", async () => {
  const digestOf = ({ stdout }: ExecResult) => /^Plan (\w+)$/m.exec(stdout)?.[1] ?? "none";
  const shown = digestOf(await takeover("--dry-run"));
  await put(host, cronFile, `${text}# more\n`);
  const now = digestOf(await takeover("--dry-run"));
  await refused(
    () => takeover("--plan", shown),
    18,
    `castellan: The plan is not the one that was shown: that was ${shown}, made now it is ${now}. Nothing was touched.
  | srv129:${cronFile} was edited meanwhile:
  |   --- ${cronFile}
  |   +++ ${cronFile}
  |   @@ -3,3 +3,4 @@
  |    */1 * * * * kingbase  ${rewind}
  |    */1 * * * * root  ${folder}/kingbasecluster/bin/restartcluster.sh
  |    15 3 * * * kingbase  /home/kingbase/own.sh
  |   +# more
next: Look at what changed. To run the plan as it is now, repeat the command with --plan ${now}; all of it: --dry-run.`,
  );
  await put(host, cronFile, text);
});

test.each<[string, () => Promise<unknown>, string, () => Promise<unknown>]>([
  [
    "its cron file missing",
    () => host.exec(["mv", cronFile, "/srv/away"]),
    `castellan: srv129: ${cronFile} is missing. Nothing was touched.
next: On srv129, as root: touch ${cronFile}, if the vendor's lines are nowhere else`,
    () => host.exec(["mv", "/srv/away", cronFile]),
  ],
  [
    "a cron file that its agent can't read",
    () => host.exec(["chmod", "0600", cronFile]),
    `castellan: srv129: ${cronFile} is unreadable. Nothing was touched.
next: On srv129, as root: chmod 0644 ${cronFile}. Its agent must see what cron runs.`,
    () => host.exec(["chmod", "0644", cronFile]),
  ],
  [
    "a line of the vendor's twice",
    () => put(host, cronFile, `${text}#*/1 * * * * kingbase  ${rewind}\n`),
    `castellan: srv129: ${cronFile} has a vendor line twice. Nothing was touched.
  | ${cronFile}:3 runs ${rewind}
  | ${cronFile}:6 would run ${rewind}
next: On srv129, as root: take one of them out. The vendor's scripts refuse both, too.`,
    () => put(host, cronFile, text),
  ],
  [
    "an active line in /etc/crontab",
    () => put(host, "/etc/crontab", `SHELL=/bin/sh\n*/1 * * * * kingbase  ${rewind}\n`),
    `castellan: srv129: /etc/crontab runs the vendor's checks. Nothing was touched.
  | /etc/crontab:2 runs ${rewind}
next: On srv129, as root: put # before them. Only the vendor's own file is edited for you.`,
    () => host.exec(["rm", "/etc/crontab"]),
  ],
  [
    "no sudoers line for the root helper",
    () => host.exec(["mv", sudoers, "/srv/away"]),
    `castellan: srv129: no root helper offers cron-comment. Nothing was touched.
next: On srv129, as root: node castellan-root.js install (docs/root-helper.md). It prints the line for agent.yaml.`,
    () => host.exec(["mv", "/srv/away", sudoers]),
  ],
  [
    "an agent.yaml of before",
    () => restarted((yaml) => yaml.replaceAll(/^ *- "(?:take-over-cron|set-guard-mode)"\n/gm, "")),
    `castellan: srv129: its agent does not offer take-over-cron and set-guard-mode. Nothing was touched.
next: On srv129, as root, with this version of the agent: add - "take-over-cron" and - "set-guard-mode" below allow: verbs: in /etc/castellan/agent.yaml, then systemctl restart castellan-agent`,
    () => restarted((yaml) => yaml.replace(/^( *)verbs:\n/m, "$&$1  - take-over-cron\n$1  - set-guard-mode\n")), // prettier-ignore
  ],
  [
    "its agent killed",
    async () => {
      await castellan.killAgent("srv129");
      await modesAre("observe", undefined);
    },
    `castellan: srv129: its agent is away. Nothing was touched.
next: On srv129, as root: systemctl start castellan-agent`,
    async () => {
      await castellan.startAgent("srv129");
      await castellan.connected(nodes);
      await modesAre("observe", "observe");
    },
  ],
])("a node with %s", async (_what, spoil, says, mend) => {
  await spoil();
  await refused(() => takeover("--yes"), 3, says);
  await mend();
});

test("of two at once one wins, and the other names it; so is a handback told meanwhile", async () => {
  const before = await standing();
  const kept = await host.readFile(rewind);
  await host.writeFile(rewind, "#!/bin/sh\nsleep 300\n", { mode: 0o755 });
  const running = await host.spawn([rewind]);
  const both = [takeover("--yes"), takeover("--yes")];
  const lost = await Promise.race(both);
  const id = /op-\w+/.exec(lost.stderr)?.[0] ?? "none";
  const says = (state: string) => `castellan: ESHA is held by guard-takeover ESHA (${id}, ${state}), started by kingbase@coord.
next: Wait for it ("castellan operation watch ${id}"), or end it with "castellan operation abort ${id}".`; // prettier-ignore
  const handback = await castellan.cli(["guard", "handback", "ESHA", "--yes"], { reject: false });
  for (const answer of [lost, handback]) {
    expect([says("planned"), says("running")]).toContain(answer.stderr);
    expect(answer.exitCode).toBe(7);
  }
  await castellan.cli(["operation", "abort", id]);
  const ends = await Promise.all(both);
  expect(ends.map(({ exitCode }) => exitCode).toSorted((a, b) => a - b)).toEqual([5, 7]);
  running.kill("SIGKILL");
  await running.exited;
  await host.writeFile(rewind, kept, { mode: 0o755 });
  expect(await standing()).toEqual(before);
});

test("a node in maintenance that runs no cron is taken over with the others, and in charge after it", async () => {
  const before = await standing();
  const cron = await host.exec(["pgrep", "-x", "cron|crond"], { reject: false });
  expect([cron.stdout, cron.exitCode]).toEqual(["", 1]);
  await castellan.cli(["guard", "maintenance", "srv129", "--for", "1h"]);
  const { stdout, exitCode } = await takeover("--yes");
  expect(exitCode).toBe(0);
  expect(stdout).toContain("note: srv129 is in maintenance: the new mode counts from its end on.");
  await modesAre("enforce", "maintenance");
  expect(await host.readFile(cronFile)).toBe(text.replaceAll(/^\*/gm, "#*"));
  await refused(
    () => takeover("--yes"),
    7,
    `castellan: ESHA is taken over already: every guard is in charge.
  | srv129 is in maintenance, and in charge after it
next: castellan guard status ESHA`,
  );
  await castellan.cli(["guard", "maintenance", "srv129", "--end"]);
  await modesAre("enforce", "enforce");
  await castellan.cli(["guard", "handback", "ESHA", "--yes"]);
  await modesAre("observe", "observe");
  expect(await standing()).toEqual(before);
});

test("lines that were commented by hand before are not made active by the handback", async () => {
  const byHand = text.replaceAll(/^\*/gm, "##*");
  await putAll(byHand);
  const before = await standing();
  expect((await takeover("--yes")).exitCode).toBe(0);
  const { stdout } = await castellan.cli(["guard", "handback", "ESHA", "--yes"]);
  expect(stdout).toContain("note: No line of the vendor's on srv127, srv129 was commented by a takeover"); // prettier-ignore
  expect(stdout).not.toContain("back as they were");
  await modesAre("observe", "observe");
  expect(await standing()).toEqual(before);
});
