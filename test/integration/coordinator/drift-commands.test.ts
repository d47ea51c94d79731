import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { acceptDrift } from "#coordinator/drift/accept-drift.ts";
import { listDrift, showDrift } from "#coordinator/drift/drift-answers.ts";
import { renderDriftShown } from "#coordinator/cli/render/drift.ts";
import { diffFiles, fileHistory, showFile } from "#coordinator/drift/file-answers.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import type { CoordinatorPorts } from "#coordinator/ports.ts";
import { revertFile } from "#coordinator/operations/revert-file/request.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed, type ScriptedAgent } from "./scripted-agent.ts";
import { settled } from "./settled.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { hbaStep, someCluster, someOperation, somePlan } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

const path = "/data/pg_hba.conf";
const hba = "host all all 10.0.0.0/8 md5\n";
const hash = (letter: string): string => letter.repeat(64);

function file(text: string | null, change: Partial<FileFacts> = {}): FileFacts {
  const seen = {
    owner: "26:26",
    ownerName: "postgres",
    mode: 0o600,
    modifiedAt: 1_700_000_000_000,
  };
  const some = { path, format: "hba" as const };
  if (text === null) {
    const nothing = { hash: null, owner: null, mode: null, modifiedAt: null, maskedText: null };
    return { ...some, ...nothing, state: "absent", ...change };
  }
  const sum = Buffer.from(text).toString("hex").padEnd(64, "0").slice(-64);
  return { ...some, ...seen, state: "present", hash: sum, maskedText: text, ...change };
}

async function tell(
  { fleet }: CoordinatorPorts,
  agent: ScriptedAgent,
  ...files: FileFacts[]
): Promise<void> {
  agent.facts = someFacts({ files });
  await fleet.observe(["srv127"]);
}

async function startLab() {
  const coordinator = await startTestCoordinator();
  const clusters = join(coordinator.state.path, "clusters", "ESHA.yaml");
  writeFileSync(clusters, printClusterYaml(someCluster));
  const agent = coordinator.agent("srv127", { facts: someFacts({ files: [file(hba)] }) });
  await waitFor(() => coordinator.core.ports.store.baselines("srv127").length === 1);
  const edited = (text: string, change: Partial<FileFacts> = {}) =>
    tell(coordinator.core.ports, agent, file(text, change));
  const agentOf = (node: string, seen: FileFacts) =>
    coordinator.agent(node, { facts: someFacts({ files: [seen] }) });
  return { ...coordinator, agent, agentOf, edited, ports: coordinator.core.ports };
}

const asked = {
  node: "srv127",
  file: "pg_hba.conf",
  shown: null,
  force: false,
  requestedBy: "alice",
};
const world = `${hba}host all all 0.0.0.0/0 trust\n`;

test("what differs is listed and shown: the diff, what it means, whose it is, since when", async () => {
  await using lab = await startLab();
  expect(listDrift(lab.ports, null).files).toEqual([]);
  await lab.edited(world);
  const [item] = listDrift(lab.ports, "ESHA").files;
  expect(item).toMatchObject({ node: "srv127", path, cluster: "ESHA", what: "changed", who: "uid 26 (postgres)" }); // prettier-ignore
  const shown = showDrift(lab.ports, "srv127", "pg_hba.conf");
  expect(shown.shown).toBe(item?.shown);
  expect(shown.diff.join("\n")).toContain("+host all all 0.0.0.0/0 trust");
  expect(shown.changes.join("\n")).toContain("0.0.0.0/0");
  expect(shown).toMatchObject({ modifiedAt: 1_700_000_000_000, acceptedBy: "first sight" });
  await lab.edited(hba);
  expect(listDrift(lab.ports, null).files).toEqual([]);
  expect(() => showDrift(lab.ports, "srv127", "pg_hba.conf")).toThrow("is as accepted");
});

test("another mode or owner alone is drift", async () => {
  await using lab = await startLab();
  await lab.edited(hba, { mode: 0o644 });
  const shown = showDrift(lab.ports, "srv127", path);
  expect(shown).toMatchObject({ what: "mode changed", diff: ["mode 0600 became 0644"] });
  await lab.edited(hba, { owner: "0:0", ownerName: "root" });
  expect(showDrift(lab.ports, "srv127", path)).toMatchObject({ what: "owner changed", who: "uid 0 (root)" }); // prettier-ignore
});

test("every version is kept with who and when; any two are compared, on any node", async () => {
  await using lab = await startLab();
  await lab.edited(world);
  await lab.edited(`${hba}# mine\n`);
  const { store } = lab.ports;
  const { versions } = fileHistory(store, "srv127", "pg_hba.conf");
  expect(versions.map(({ version }) => version)).toEqual([3, 2, 1]);
  expect(versions[2]).toMatchObject({ acceptedBy: "first sight", who: "uid 26 (postgres)" });
  expect(versions[0]?.acceptedAt).toBeNull();
  expect(showFile(store, "srv127", path, 2)).toMatchObject({ maskedText: world, isCurrent: false });
  const between = diffFiles(store, "srv127:1", "srv127:2", "pg_hba.conf");
  expect(between.diff.join("\n")).toContain("+host all all 0.0.0.0/0 trust");
  expect(() => showFile(store, "srv127", path, 9)).toThrow("3, 2, 1");
  expect(() => fileHistory(store, "srv127", "nothing.conf")).toThrow("no watched file");
  expect(() => diffFiles(store, "srv127:x", "srv127", path)).toThrow("NODE:VERSION");
  lab.agentOf("srv129", file(world, { path: "/other/place/pg_hba.conf" }));
  await waitFor(() => store.baselines("srv129").length === 1);
  const across = diffFiles(store, "srv127", "srv129", path);
  expect(across.right.path).toBe("/other/place/pg_hba.conf");
  expect(across.diff.join("\n")).toContain("+host all all 0.0.0.0/0 trust");
});

test("a version that an operation made names it, whether its facts come before or after its end", async () => {
  await using lab = await startLab();
  const { store } = lab.ports;
  const made = (text: string) => ({ path, hash: file(text).hash });
  const run = async (text: string) => {
    lab.agent.script = () => done({ alreadyDone: false, lines: [], files: [made(text)] });
    const { id } = lab.core.runner.start(someOperation(somePlan(hbaStep("srv127"))));
    await settled(lab, id, "succeeded");
    return id;
  };
  const first = await run(world);
  await lab.edited(world);
  const newest = () => fileHistory(store, "srv127", path).versions[0];
  expect(newest()).toMatchObject({ acceptedBy: `operation ${first}`, who: `Castellan, operation ${first}` }); // prettier-ignore
  const later = `${world}# more\n`;
  await lab.edited(later);
  expect(newest()).toMatchObject({ acceptedBy: null, who: "uid 26 (postgres)" });
  const second = await run(later);
  expect(newest()).toMatchObject({ acceptedBy: `operation ${second}` });
  expect(store.baselines("srv127")).toMatchObject([{ mode: 0o600, owner: "26:26" }]);
});

test("the end of a path names a file only if it is the only one", async () => {
  await using lab = await startLab();
  const copies = ["/root/db/etc/HAmodule.conf", "/root/pool/etc/HAmodule.conf"];
  const format = "ha-module";
  await tell(lab.ports, lab.agent, file(hba), ...copies.map((at) => file("A=1\n", { path: at, format }))); // prettier-ignore
  const { store } = lab.ports;
  expect(showFile(store, "srv127", "db/etc/HAmodule.conf", null).path).toBe(copies[0]);
  expect(() => showFile(store, "srv127", "HAmodule.conf", null)).toThrow("any of 2 watched files");
  expect(() => showFile(store, "srv127", "module.conf", null)).toThrow("no watched file");
  expect(() => showFile(store, "srv200", path, null)).toThrow("ever joined");
});

test("an accepted change is the baseline, its alert is over, and the agent is told", async () => {
  await using lab = await startLab();
  await lab.edited(world);
  const { store } = lab.ports;
  store.raiseAlert({ cause: `node:srv127:file:${path}`, severity: "warning", node: "srv127", summary: "s", detail: "" }, 1); // prettier-ignore
  const { shown } = showDrift(lab.ports, "srv127", path);
  await acceptDrift(lab.ports, { ...asked, shown });
  expect(store.baselines("srv127")).toMatchObject([{ maskedText: world, acceptedBy: "alice" }]);
  const open = store.alerts({ open: true }).map(({ cause }) => cause);
  expect(open).not.toContain(`node:srv127:file:${path}`);
  expect(fileHistory(store, "srv127", path).versions[0]).toMatchObject({ acceptedBy: "alice" });
  await waitFor(() => lab.agent.received.findLast((m) => m.type === "baselines")?.files[0]?.hash === file(world).hash); // prettier-ignore
});

test("of two operators who accept the same difference the second hears who was first", async () => {
  await using lab = await startLab();
  await lab.edited(world);
  const { shown } = showDrift(lab.ports, "srv127", path);
  const both = await Promise.allSettled(
    ["alice", "bob"].map((requestedBy) => acceptDrift(lab.ports, { ...asked, shown, requestedBy })),
  );
  const [won] = both.filter(({ status }) => status === "fulfilled");
  const [lost] = both.filter(({ status }) => status === "rejected");
  const first = lab.ports.store.baselines("srv127")[0]?.acceptedBy;
  expect(won).toMatchObject({ value: { acceptedBy: first } });
  expect(lost).toMatchObject({
    reason: { code: "OPERATION_CONFLICT", message: expect.stringContaining(`by ${first}`) },
  });
});

test("accept and revert are refused with the new difference when the file changed again", async () => {
  await using lab = await startLab();
  await lab.edited(world);
  const { shown } = showDrift(lab.ports, "srv127", path);
  // Not told yet: only a fresh look finds it.
  lab.agent.facts = someFacts({ files: [file(`${world}# later\n`)] });
  const changed = {
    code: "PLAN_CHANGED",
    evidence: expect.arrayContaining(["+# later"]),
    hint: expect.stringContaining("--hash"),
  };
  await expect(acceptDrift(lab.ports, { ...asked, shown })).rejects.toMatchObject(changed);
  const revert = { node: "srv127", file: path, shown, dryRun: false, requestedBy: "bob" };
  await expect(revertFile(lab.ports, lab.core.runner.start, revert)).rejects.toMatchObject(changed);
  expect(lab.ports.store.baselines("srv127")).toMatchObject([{ maskedText: hba }]);
  expect(lab.ports.store.operations()).toEqual([]);
});

test("what can't be parsed is accepted by force only, what can't be read not at all", async () => {
  await using lab = await startLab();
  const broken = `${hba}host all\n`;
  await lab.edited(broken);
  expect(listDrift(lab.ports, null).files).toMatchObject([{ isBroken: true }]);
  await expect(acceptDrift(lab.ports, asked)).rejects.toMatchObject({
    code: "REFUSED",
    evidence: [expect.stringContaining(`${path}:2:`)],
  });
  await acceptDrift(lab.ports, { ...asked, force: true });
  expect(lab.ports.store.baselines("srv127")).toMatchObject([{ maskedText: broken }]);
  await lab.edited(broken, { state: "unreadable", hash: null, maskedText: null });
  await expect(acceptDrift(lab.ports, { ...asked, force: true })).rejects.toMatchObject({
    code: "REFUSED",
  });
});

test.each(["unreadable", "not-a-file", "too-large"] as const)(
  "of a file that is %s no content is said to be gone, and nothing is offered",
  async (state) => {
    await using lab = await startLab();
    await lab.edited("", { state, hash: null, mode: null, owner: null, maskedText: null });
    const shown = showDrift(lab.ports, "srv127", path);
    expect(shown).toMatchObject({ state, changes: [], diff: ["there is no text to compare"] });
    const lines = renderDriftShown(shown).join("\n");
    expect(lines).not.toContain("--hash");
    expect(lines).toContain("make it a readable file again");
  },
);

test("a setting that stands there twice is pointed out, and accepted like any other edit", async () => {
  await using lab = await startLab();
  const conf = { path: "/data/postgresql.conf", format: "server-conf" } as const;
  await tell(lab.ports, lab.agent, file(hba), file("port = 1\n", conf));
  await tell(lab.ports, lab.agent, file(hba), file("port = 1\nport = 2\n", conf));
  expect(listDrift(lab.ports, null).files).toMatchObject([{ isBroken: false }]);
  const lines = renderDriftShown(showDrift(lab.ports, "srv127", conf.path));
  expect(lines).toEqual(expect.arrayContaining(["Look twice", expect.stringContaining("2:1: port is set 2 times")])); // prettier-ignore
  expect(lines).not.toContain("Can't be parsed");
  await acceptDrift(lab.ports, { ...asked, file: conf.path });
  expect(listDrift(lab.ports, null).files).toEqual([]);
});

test("a difference names the rules that are broken in its file, and that its agent is away", async () => {
  await using lab = await startLab();
  await lab.edited(world);
  lab.agent[Symbol.dispose]();
  await waitFor(() => lab.ports.fleet.agent("srv127")?.connected === false);
  // Of a node that is away the watch of the rules says nothing, so that these stand.
  const rule = { rule: "file-parses", node: "srv127", severity: "critical", summary: "srv127: line 2", detail: "" } as const; // prettier-ignore
  const cause = "rule:ESHA:file-parses:srv127";
  lab.ports.store.raiseAlert({ ...rule, cause: `${cause}:${path}`, file: path }, 1);
  lab.ports.store.raiseAlert({ ...rule, cause: `${cause}:/data/other`, file: "/data/other" }, 1);
  const shown = showDrift(lab.ports, "srv127", path);
  expect(shown).toMatchObject({ isAway: true });
  // Those that the watch told before the agent went stand beside it.
  expect(shown.breaches.filter(({ rule }) => rule === "file-parses")).toMatchObject([{ severity: "critical" }]); // prettier-ignore
});

test("an agent that is away can't be looked at: nothing is accepted", async () => {
  await using lab = await startLab();
  await lab.edited(world);
  lab.agent[Symbol.dispose]();
  await waitFor(() => lab.ports.fleet.agent("srv127")?.connected === false);
  await expect(acceptDrift(lab.ports, asked)).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
  expect(listDrift(lab.ports, null)).toMatchObject({ files: [{ path }], away: ["srv127"] });
});

test("a revert is an operation: planned with the diff, and the file is no baseline of its own", async () => {
  await using lab = await startLab();
  await lab.edited(world);
  const { store } = lab.ports;
  const revert = { node: "srv127", file: "pg_hba.conf", shown: null, requestedBy: "bob" };
  const dry = await revertFile(lab.ports, lab.core.runner.start, { ...revert, dryRun: true });
  expect(dry.operation).toBeNull();
  expect(dry.plan.steps[0]).toMatchObject({
    kind: "restore-file",
    on: "srv127",
    args: {
      path,
      from: file(world).hash,
      to: { hash: file(hba).hash, mode: 0o600, owner: "26:26" },
    },
  });
  expect(dry.plan.steps[0]?.preview.join("\n")).toContain("-host all all 0.0.0.0/0 trust");
  lab.agent.script = () => done({ alreadyDone: false, lines: ["as accepted"], files: [] });
  const shown = dry.plan.digest ?? "";
  const { operation } = await revertFile(lab.ports, lab.core.runner.start, { ...revert, shown, dryRun: false }); // prettier-ignore
  const record = await settled(lab, operation?.id ?? "", "succeeded");
  expect(record).toMatchObject({ kind: "revert-file", subject: "srv127", requestedBy: "bob" });
  expect(store.baselines("srv127")).toMatchObject([{ maskedText: hba, acceptedBy: "first sight" }]);
});

test("a revert that its agent refuses is taken back by itself, and what stands there stays drift", async () => {
  await using lab = await startLab();
  await lab.edited(world);
  lab.agent.script = ({ phase }) =>
    phase === "run"
      ? failed({ code: "REFUSED" })
      : done({ alreadyDone: true, lines: [], files: [] });
  const revert = { node: "srv127", file: path, shown: null, dryRun: false, requestedBy: "bob" };
  const { operation } = await revertFile(lab.ports, lab.core.runner.start, revert);
  await settled(lab, operation?.id ?? "", "rolled-back");
  expect(listDrift(lab.ports, null).files).toMatchObject([{ path, what: "changed" }]);
});

test("while a file is being reverted it can't be accepted", async () => {
  await using lab = await startLab();
  await lab.edited(world);
  lab.agent.script = () => null;
  const revert = { node: "srv127", file: path, shown: null, dryRun: false, requestedBy: "bob" };
  const { operation } = await revertFile(lab.ports, lab.core.runner.start, revert);
  await waitFor(() => lab.agent.commands.length === 1);
  await expect(acceptDrift(lab.ports, asked)).rejects.toMatchObject({
    code: "OPERATION_CONFLICT",
    message: expect.stringContaining("being reverted by bob"),
  });
  lab.agent.end(`${operation?.id}/0/run/1`, done({ alreadyDone: false, lines: [], files: [] }));
  await settled(lab, operation?.id ?? "", "succeeded");
});

test("a file that comes to an included directory was accepted by nobody; at the first sight of a host it is", async () => {
  await using lab = await startLab();
  const extra = { path: "/etc/conf.d/zz.conf", format: "server-conf", origin: "include-dir" } as const; // prettier-ignore
  await tell(lab.ports, lab.agent, file(hba), file("fsync = off\n", extra));
  expect(listDrift(lab.ports, null).files).toMatchObject([{ path: extra.path, what: "appeared" }]);
  lab.agentOf("srv129", file("fsync = off\n", extra));
  await waitFor(() => lab.ports.store.baselines("srv129").length === 1);
  expect(lab.ports.store.baselines("srv129")).toMatchObject([{ maskedText: "fsync = off\n" }]);
});

test("of a file only the newest versions are kept, and the accepted one", async () => {
  await using coordinator = await startTestCoordinator({
    keptFileVersions: 3,
    keptFileTextBytes: 40,
  });
  const { store } = coordinator.core.ports;
  const note = (letter: string, maskedText = letter) =>
    store.noteFile("srv127", file(null, { state: "present", hash: hash(letter), maskedText }), 1);
  note("a");
  store.setBaseline({ node: "srv127", path, hash: hash("a"), mode: null, owner: null, maskedText: "a", acceptedBy: "x" }, 1); // prettier-ignore
  for (const letter of ["b", "c", "d", "e", "f"]) note(letter);
  expect(note("f")).toBe(false);
  expect(store.fileVersions("srv127", path).map(({ version }) => version)).toEqual([6, 5, 4, 1]);
  note("0", "long".repeat(20));
  expect(store.newestFiles("srv127")).toMatchObject([
    { isCut: true, maskedText: null, version: 7 },
  ]);
});
