import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"; // prettier-ignore
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, expect, test } from "vitest";
import { startCore } from "#coordinator/core.ts";
import { finishInterruptedRestore, offlineStore } from "#coordinator/offline-store.ts";
import { decodeBackup } from "#coordinator/store/backup-file.ts";
import { makeBackup } from "#coordinator/store/make-backup.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import { projectRoot } from "#test/harness/project-root.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done, failed, ScriptedAgent, type Script } from "./scripted-agent.ts";
import { settled, told } from "./settled.ts";
import { hbaStep, slotStep, someOperation, somePlan, startStep } from "./some-plan.ts";
import { joinAgent, makeStateFolder, quickSettings, quietLog, type StateFolder } from "./test-coordinator.ts"; // prettier-ignore

const self = { pid: process.pid, uid: userInfo().uid };
const plan = somePlan(hbaStep("srv127"), slotStep("srv127"), startStep("srv127"));

test("a backup holds the whole state, is verified, and brings it back on a host that has nothing", async () => {
  using folder = await makeStateFolder();
  writeFileSync(join(folder.path, "clusters/ESHA.yaml"), "cluster: 1\n", { mode: 0o640 });
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  const before = { key: read(folder, "key.pem"), settings: read(folder, "settings.yaml") };
  writeFileSync(file, offlineStore(folder.path, self).backup(1_000));
  expect(decodeBackup(file, readFileSync(file)).entries.map(({ name }) => name)).toEqual([
    "journal.db",
    "certificate.pem",
    "key.pem",
    "settings.yaml",
    "clusters/ESHA.yaml",
  ]);
  const state = join(elsewhere.path, "state");
  const report = offlineStore(state, self).restore(file, 2_000);
  expect(report).toMatchObject({ madeAt: 1_000, held: [], agents: [] });
  expect(read({ path: state }, "key.pem")).toBe(before.key);
  expect(read({ path: state }, "settings.yaml")).toBe(before.settings);
  expect(read({ path: state }, "clusters/ESHA.yaml")).toBe("cluster: 1\n");
  expect(statSync(join(state, "key.pem")).mode & 0o777).toBe(0o600);
  expect(statSync(state).mode & 0o777).toBe(0o700);
  await using _core = await startCore(quickSettings(state), quietLog);
});

test("a backup that was cut or changed by one bit is refused, and what is there stays", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  const bytes = offlineStore(folder.path, self).backup(1_000);
  const before = listing(folder.path);
  for (const damage of [
    () => writeFileSync(file, bytes.subarray(0, -1)),
    () => writeFileSync(file, flipped(bytes, Math.floor(bytes.length / 2))),
    () => writeFileSync(file, Buffer.concat([bytes, Buffer.from("x")])),
    () => writeFileSync(file, "not a backup at all"),
    () => truncateSync(file, 0),
  ]) {
    damage();
    expect(failureOf(() => offlineStore(folder.path, self).restore(file, 2_000))).toMatchObject({
      code: "STORE_UNUSABLE",
    });
  }
  expect(listing(folder.path)).toEqual(before);
});

test("while a coordinator runs nothing is restored", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  writeFileSync(file, offlineStore(folder.path, self).backup(1_000));
  await using core = await startCore(quickSettings(folder.path), quietLog);
  expect(failureOf(() => offlineStore(folder.path, self).restore(file, 2_000))).toMatchObject({
    code: "OPERATION_CONFLICT",
    message: expect.stringContaining(`pid ${process.pid}`),
  });
  expect(core.ports.store.check().problems).toEqual([]);
});

test("a bare journal without its mark is refused by a start, and taken by a restore", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const bare = join(elsewhere.path, "journal.db");
  cpSync(join(folder.path, "journal.db"), bare);
  rmSync(join(folder.path, "journal.db-mark"));
  await expect(startCore(quickSettings(folder.path), quietLog)).rejects.toMatchObject({
    code: "STORE_UNUSABLE",
    hint: expect.stringContaining("castellan store restore"),
  });
  const report = offlineStore(folder.path, self).restore(bare, 2_000);
  expect(existsSync(join(report.replaced, "journal.db"))).toBe(true);
  await using _core = await startCore(quickSettings(folder.path), quietLog);
});

/** One agent through several coordinators on one state directory or copies of it. */
async function oneAgent(folder: StateFolder, script: Script = () => done()) {
  const first = await startCore(quickSettings(folder.path), quietLog);
  const secret = joinAgent(first, "srv127");
  const dial = (core: { readonly agentPort: number }, highestEpoch: number) =>
    new ScriptedAgent({
      port: core.agentPort,
      node: "srv127",
      secret,
      certificatePem: folder.certificatePem,
      script,
      highestEpoch,
    });
  return { first, dial };
}

test("what was under way in a restored journal is held; its commands are new ones, and all of it is taken back", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  let answers = true;
  const script: Script = ({ kind, phase }) =>
    kind === "create-slot" && phase === "run" && !answers ? null : done();
  const { first, dial } = await oneAgent(folder, script);
  answers = false;
  let old: readonly string[];
  let id: string;
  {
    using agent = dial(first, 0);
    await waitFor(() => agent.isWelcome);
    ({ id } = first.runner.start(someOperation(plan)));
    await waitFor(() => agent.commands.length === 2);
    const { store } = first.ports;
    old = agent.commands.map((command) => command.id);
    store.snapshot(join(elsewhere.path, "journal.db"));
    await first[Symbol.asyncDispose]();
  }
  cpSync(join(elsewhere.path, "journal.db"), file);
  const report = offlineStore(folder.path, self).restore(file, Date.now());
  expect(report.held).toEqual([id]);
  answers = true;
  await using core = await startCore(quickSettings(folder.path), quietLog);
  using agent = dial(core, report.epoch - 1);
  await waitFor(() => agent.isWelcome);
  const held = core.ports.store.operation(id);
  expect(held).toMatchObject({
    state: "paused",
    failure: { code: "INTERRUPTED", message: expect.stringContaining("restored") },
  });
  expect(held?.steps.map((step) => step.state)).toEqual(["pending", "pending", "pending"]);
  expect(core.ports.store.alerts({ open: true }).map(({ cause }) => cause)).toContain(
    "coordinator/journal-restored",
  );
  expect(failureOf(() => core.runner.abort(id))).toMatchObject({
    code: "OPERATION_CONFLICT",
    hint: expect.stringContaining("--after-restore"),
  });
  expect(agent.commands).toEqual([]);
  core.runner.abort(id, { afterRestore: true });
  await settled({ core }, id, "rolled-back");
  // The third step was never begun, as far as this journal knows.
  expect(told(agent)).toEqual([
    "start-database/srv127 undo",
    "create-slot/srv127 undo",
    "open-hba/srv127 undo",
  ]);
  expect(agent.commands.some((command) => old.includes(command.id))).toBe(false);
  expect(agent.commands[0]?.id).toMatch(new RegExp(`^${id}\\.1/`));
  expect(core.ports.store.alerts({ open: true })).toEqual([]);
});

test("a held operation that is resumed looks at every step again; one that is left ends without a word to anybody", async () => {
  using folder = await makeStateFolder();
  const { first, dial } = await oneAgent(folder, ({ kind }) =>
    kind === "start-database" ? null : done(),
  );
  using agent = dial(first, 0);
  await waitFor(() => agent.isWelcome);
  const { id } = first.runner.start(someOperation(plan));
  await waitFor(() => agent.commands.length === 3);
  first.runner.holdAll("as a test says");
  expect(first.ports.store.operation(id)).toMatchObject({ state: "paused", restores: 1 });
  agent.script = () => done();
  first.runner.resume(id);
  await settled({ core: first }, id, "succeeded");
  expect(told(agent).slice(3)).toEqual([
    "open-hba/srv127 run",
    "create-slot/srv127 run",
    "start-database/srv127 run",
  ]);
  agent.script = () => null;
  const second = first.runner.start(someOperation(plan));
  await waitFor(() => agent.commands.length === 7);
  first.runner.holdAll("as a test says");
  first.runner.leave(second.id);
  expect(first.ports.store.operation(second.id)?.state).toBe("rolled-back");
  expect(first.ports.store.leaseHolder("ESHA")).toBeNull();
  expect(agent.commands).toHaveLength(7);
  await first[Symbol.asyncDispose]();
});

test("a held operation that was resumed and fails takes nothing back unless that is said in full", async () => {
  using folder = await makeStateFolder();
  const { first, dial } = await oneAgent(folder, () => null);
  using agent = dial(first, 0);
  await waitFor(() => agent.isWelcome);
  const { id } = first.runner.start(someOperation(plan, { onFailure: "rollback" }));
  await waitFor(() => agent.commands.length === 1);
  first.runner.holdAll("as a test says");
  agent.script = () => failed({ code: "REFUSED" });
  first.runner.resume(id);
  await settled({ core: first }, id, "paused");
  const refused = { code: "OPERATION_CONFLICT", hint: expect.stringContaining("--after-restore") };
  expect(failureOf(() => first.runner.abort(id))).toMatchObject(refused);
  agent.script = () => null;
  first.runner.resume(id);
  expect(failureOf(() => first.runner.abort(id))).toMatchObject(refused);
  await first[Symbol.asyncDispose]();
});

test("a held operation that was resumed and fails can be left as it is", async () => {
  using folder = await makeStateFolder();
  const { first, dial } = await oneAgent(folder, () => failed({ code: "REFUSED" }));
  using agent = dial(first, 0);
  await waitFor(() => agent.isWelcome);
  const { id } = first.runner.start(someOperation(plan));
  await settled({ core: first }, id, "paused");
  first.runner.holdAll("as a test says");
  first.runner.resume(id);
  await settled({ core: first }, id, "paused");
  await waitFor(() => agent.commands.length === 2);
  first.runner.leave(id);
  expect(first.ports.store.operation(id)?.state).toBe("rolled-back");
  expect(told(agent)).toEqual(["open-hba/srv127 run", "open-hba/srv127 run"]);
  await first[Symbol.asyncDispose]();
});

test("a bare journal is put in place for its owner's eyes and pen alone, however it was saved", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  for (const mode of [0o644, 0o400]) {
    const file = join(elsewhere.path, `saved-${mode}.db`);
    cpSync(join(folder.path, "journal.db"), file);
    chmodSync(file, mode);
    offlineStore(folder.path, self).restore(file, 2_000 + mode);
    expect(statSync(join(folder.path, "journal.db")).mode & 0o777).toBe(0o600);
  }
});

test("what a restore replaces is kept, also when another one follows in the same second", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  writeFileSync(join(folder.path, "clusters/ESHA.yaml"), "cluster: 1\n");
  writeFileSync(file, offlineStore(folder.path, self).backup(1_000));
  const places = [2_001, 2_002].map((at) => {
    writeFileSync(join(folder.path, "clusters/ESHA.yaml"), `cluster: ${at}\n`);
    return offlineStore(folder.path, self).restore(file, at).replaced;
  });
  expect(places.map((path) => read({ path }, "clusters/ESHA.yaml"))).toEqual([
    "cluster: 2001\n",
    "cluster: 2002\n",
  ]);
});

test("a copy of the journal that a killed coordinator left is swept by the next backup", async () => {
  using folder = await makeStateFolder();
  await using core = await startCore(quickSettings(folder.path), quietLog);
  const backup = (now: number, dies: boolean) =>
    makeBackup({
      stateDirectory: folder.path,
      clustersDirectory: join(folder.path, "clusters"),
      snapshot: (file) => {
        if (dies) killedCopy = file;
        core.ports.store.snapshot(file);
      },
      now,
    });
  let killedCopy = "";
  backup(1_000, true);
  writeFileSync(killedCopy, "as a kill leaves it");
  backup(2_000, false);
  expect(existsSync(killedCopy)).toBe(false);
});

test("a coordinator on an old copy holds everything when an agent knows of one that it does not know", async () => {
  using folder = await makeStateFolder();
  const { first, dial } = await oneAgent(folder, () => null);
  const { epoch } = first.ports.store;
  {
    using agent = dial(first, 0);
    await waitFor(() => agent.isWelcome);
    first.runner.start(someOperation(plan));
    await waitFor(() => agent.commands.length === 1);
  }
  await first[Symbol.asyncDispose]();
  await using core = await startCore(quickSettings(folder.path), quietLog);
  expect(core.ports.store.epoch).toBeGreaterThan(epoch + 1);
  // In between somebody else was in charge: a copy of this journal on another host, or this one before a rollback.
  using agent = dial(core, epoch + 1);
  await waitFor(() => agent.isWelcome);
  const [held] = core.ports.store.operations();
  expect(held).toMatchObject({ state: "paused", restores: 1 });
  expect(held?.failure?.message).toMatch(/srv127 has obeyed another coordinator/);
  const alerts = core.ports.store.alerts({ open: true });
  expect(alerts.map(({ cause, severity }) => [cause, severity])).toContainEqual([
    "node:srv127:unknown-epoch",
    "critical",
  ]);
  expect(agent.commands).toEqual([]);
});

test("two coordinators on copies of one journal never share an epoch, whichever is started when", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const copy = join(elsewhere.path, "copy");
  cpSync(folder.path, copy, { recursive: true });
  const epochs: number[] = [];
  for (const path of [folder.path, copy, folder.path, copy, copy, folder.path]) {
    using store = openStore({ file: join(path, "journal.db"), keptEvents: 1_000, now: Date.now() });
    epochs.push(store.epoch);
    // A millisecond is the least that lies between two starts.
    await waitFor(() => Date.now() > store.epoch);
  }
  expect(new Set(epochs).size).toBe(epochs.length);
  expect(epochs.toSorted((a, b) => a - b)).toEqual(epochs);
});

const program = join(projectRoot(), "dist/test/restore.js");

beforeAll(async () => {
  await build({
    stdin: {
      contents: `import { offlineStore } from "#coordinator/offline-store.ts";
        import { userInfo } from "node:os";
        const [state, file] = process.argv.slice(2);
        offlineStore(state, { pid: process.pid, uid: userInfo().uid }).restore(file, Date.now());`,
      resolveDir: projectRoot(),
      loader: "ts",
    },
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    define: { CASTELLAN_CRASH_POINTS: "true" },
    external: ["libsql"],
    banner: {
      js: 'import { createRequire as __r } from "node:module"; const require = __r(import.meta.url);',
    },
    logLevel: "error",
  });
});

test("killed at any instant a restore has not begun, or is finished by the next start", async () => {
  using elsewhere = emptyFolder();
  using fresh = await makeStateFolder();
  const file = join(elsewhere.path, "backup");
  writeFileSync(file, offlineStore(fresh.path, self).backup(1_000));
  const moves = [...readdirSync(fresh.path), "-wal", "-shm"].length;
  const points = ["restore:staged", "restore:decided"];
  for (let n = 1; n <= moves; n += 1)
    points.push(`restore:moved-out@${n}`, `restore:moved-in@${n}`);
  let killed = 0;
  for (const point of points) {
    using old = await makeStateFolder();
    const oldKey = read(old, "key.pem");
    const { signal, stderr } = spawnSync(process.execPath, [program, old.path, file], {
      env: { PATH: process.env["PATH"], CASTELLAN_CRASH_AT: point },
      encoding: "utf8",
    });
    if (signal !== "SIGKILL") {
      expect(stderr).toBe("");
      continue;
    }
    killed += 1;
    finishInterruptedRestore(old.path, process.pid);
    using store = openStore({ file: join(old.path, "journal.db"), keptEvents: 1_000, now: 0 });
    expect(store.check().problems).toEqual([]);
    const isRestored = point !== "restore:staged";
    expect(read(old, "key.pem") === read(fresh, "key.pem"), point).toBe(isRestored);
    const kept = readdirSync(old.path).find((name) => name.startsWith("replaced-"));
    expect(kept !== undefined, point).toBe(isRestored);
    if (kept !== undefined) expect(read(old, `${kept}/key.pem`)).toBe(oldKey);
  }
  expect(killed).toBeGreaterThan(15);
});

function emptyFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "castellan-backup-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

function read({ path }: { readonly path: string }, name: string): string {
  return readFileSync(join(path, name), "utf8");
}

function listing(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith(".restore-staging") && !name.startsWith("coordinator."))
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}

function failureOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}
