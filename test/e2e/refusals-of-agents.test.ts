import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createCluster } from "#test/harness/cluster.ts";
import { settledDifferences, takeSnapshot } from "#test/harness/snapshot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { openConnection } from "#coordinator/store/connection.ts";
import { speakAs } from "./support/agent-socket.ts";
import { labHosts } from "./support/hosts.ts";
import { addArguments, newestOperation, untilOperation, untilWell } from "./support/operations.ts";
import { expectRefusal, type Refusal } from "./support/refusal.ts";
import { createScene, type Scene } from "./support/scene.ts";

/** Who may speak for a node, who may work on a cluster, and what the coordinator starts with. */
let scene: Scene;
let lab: Scene["lab"];
let cluster: Scene["cluster"];
let castellan: Scene["castellan"];

beforeAll(async () => {
  scene = await createScene({
    hosts: [
      ...labHosts,
      { name: "srv227", address: "192.168.4.227" },
      { name: "srv228", address: "192.168.4.228" },
      { name: "srv229", address: "192.168.4.229" },
    ],
  });
  ({ lab, cluster, castellan } = scene);
}, 60_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

const refused = (refusal: Refusal): Promise<void> => expectRefusal(cluster, castellan, refusal);
const add = (...more: string[]) => addArguments(cluster, ...more);

test("an existing node whose agent is away is named", async () => {
  await castellan.killAgent("srv129");
  onTestFinished(async () => {
    await castellan.startAgent("srv129");
    await castellan.connected(["srv129"]);
  });
  await refused({
    args: add(),
    exitCode: 3,
    says: ["agent-connected (srv129)", "castellan-agent"],
  });
});

test("a host whose clock is off by an hour is named", async () => {
  const { host } = cluster.node("srv129");
  // All hosts of the lab share one clock: only what the agent takes for the time is moved.
  await host.writeFile(
    "/run/hour.cjs",
    "const now = Date.now; Date.now = () => now() + 3_600_000;",
  );
  castellan.agent("srv129").kill("SIGTERM");
  await castellan.agent("srv129").exited;
  await castellan.startAgent("srv129", { NODE_OPTIONS: "--require=/run/hour.cjs" });
  await castellan.connected(["srv129"]);
  onTestFinished(async () => {
    castellan.agent("srv129").kill("SIGTERM");
    await castellan.agent("srv129").exited;
    await castellan.startAgent("srv129");
    await untilWell(castellan, cluster);
  });
  await refused({
    args: add(),
    exitCode: 3,
    says: ["clock (srv129)", /found 3[56]\d\d\.\d s ahead/, "chronyc makestep"],
  });
});

test("a primary that is down is named", async () => {
  await cluster.stop("srv127");
  onTestFinished(async () => {
    await cluster.start("srv127");
    await untilWell(castellan, cluster);
  });
  await refused({ args: add(), exitCode: 3, says: ["database-running (srv127)"] });
});

test("a password that only the login proof can find wrong is taken back without an operator, if so asked", async () => {
  const { host } = cluster.node("srv159");
  const secret = "/var/lib/castellan-agent/secrets/replication";
  const right = await host.readFile(secret);
  const own = { mode: 0o600, owner: cluster.lane.osUser };
  await host.writeFile(secret, "not-the-password", own);
  onTestFinished(() => host.writeFile(secret, right, own));
  const before = await takeSnapshot(cluster, castellan);
  const added = await castellan.cli(add("--on-failure=rollback"), { reject: false });
  expect(added.stdout).toContain("AUTHENTICATION_FAILED: ");
  expect(added.stdout).toContain("castellan-agent secret set");
  expect(added.stdout).not.toContain("not-the-password");
  expect(added.exitCode).toBe(5);
  expect(await settledDifferences(before, cluster, castellan)).toEqual([]);
});

test("a second node add on one cluster names who holds it, and one on another cluster runs beside it", async () => {
  await using other = await createCluster(lab, {
    product: "postgresql",
    name: "BETA",
    nodes: ["srv227", "srv228"],
    newNode: "srv229",
  });
  await castellan.joinCluster(other);
  await castellan.cli(["cluster", "import", "BETA", "--node", "srv227", "srv228"]);
  const first = await castellan.spawnCli(add("--max-rate", "1M"));
  const holder = await waitFor(
    async () => {
      const newest = await newestOperation(castellan);
      return newest?.state === "running" ? newest : null;
    },
    { timeoutMs: 30_000, what: "the first to run" },
  );

  const second = await castellan.cli(add(), { reject: false });
  expect(second.exitCode).toBe(7);
  expect(second.stderr).toContain(`add-node srv159 (${holder.id}, running)`);
  expect(second.stderr).toContain(`started by ${holder.requestedBy}`);
  expect(second.stderr).toContain(`castellan operation watch ${holder.id}`);

  const beside = await castellan.cli(addArguments(other), { reject: false });
  expect(beside.exitCode, beside.stdout + beside.stderr).toBe(0);
  expect((await untilOperation(castellan, holder.id, () => true)).state).toBe("running");
  await castellan.cli(["operation", "abort", holder.id]);
  expect(await first.exited).toBe(5);
  for (const node of ["srv227", "srv228", "srv229"]) {
    castellan.agent(node).kill("SIGTERM");
    await castellan.agent(node).exited;
  }
});

test("a token that is unknown, used, expired or another node's, and a wrong fingerprint, join nobody", async () => {
  const { host } = cluster.node("srv159");
  const [, token = "", line = ""] = await joinLine("srv300");
  const wrongFingerprint = line.replace(/(--fingerprint )(\S{2})/, "$1" + "00");
  await expectNoJoin(wrongFingerprint, token, 9, /fingerprint/);
  await expectNoJoin(line, "A".repeat(43), 9, /No such token/);
  await expectNoJoin(line.replace("--node srv300", "--node srv301"), token, 9, /another node/);
  await expire("srv300");
  await expectNoJoin(line, token, 9, /has expired.*\n.*castellan token create --node srv300/s);
  const [, again = "", once = ""] = await joinLine("srv300");
  const joined = await join(once, again);
  expect(joined.exitCode, joined.stderr).toBe(0);
  await host.exec(["rm", "-r", "/srv/joining"]);
  await expectNoJoin(once, again, 9, /used before/);

  async function joinLine(node: string): Promise<readonly string[]> {
    const answer = await castellan.json<{ joinLine: string }>(["token", "create", "--node", node]);
    return /^echo (\S+) \| castellan-agent (.*)$/.exec(answer.joinLine) ?? [];
  }
  async function join(words: string, token: string) {
    const argv = [
      ...[host.nodePath, `${host.projectPath}/dist/castellan-agent.js`, ...words.split(" ")],
      ...["--config", "/srv/joining/agent.yaml", "--state-dir", "/srv/joining/state"],
      ...["--product", "postgresql", "--user", cluster.lane.osUser, "--pool", "none"],
      ...["--bin-dir", cluster.node("srv159").paths.binDir, "--data-dir", "/srv/joining/data"],
    ];
    return host.exec(argv, { input: token, reject: false });
  }
  async function expectNoJoin(words: string, token: string, exitCode: number, says: RegExp) {
    const answer = await join(words, token);
    expect(answer.stderr).toMatch(says);
    expect(answer.stderr).not.toContain(token);
    expect(answer.exitCode, answer.stderr).toBe(exitCode);
    expect(host.exists("/srv/joining/agent.yaml")).toBe(false);
  }
  async function expire(node: string): Promise<void> {
    const { coordinatorHost, stateDirectory } = castellan;
    const journal = openConnection(coordinatorHost.path(`${stateDirectory}/journal.db`));
    journal.run("UPDATE token SET expires_at = 1 WHERE node = ?", [node]);
    journal.close();
  }
});

test("a second agent that claims a node is turned away with an alert, and the first one stays", async () => {
  const first = cluster.node("srv159").host;
  const thief = cluster.node("srv129").host;
  const owner = cluster.lane.osUser;
  // A host that was cloned, agent and all.
  const state = "/var/lib/castellan-agent";
  await thief.makeDirectory("/srv/clone", { owner, mode: 0o700 });
  onTestFinished(async () => {
    await thief.exec(["rm", "-r", "/srv/clone"]);
  });
  const settings = await first.readFile("/etc/castellan/agent.yaml");
  await thief.writeFile("/srv/clone/agent.yaml", settings.replaceAll(state, "/srv/clone"), {
    owner,
    mode: 0o600,
  });
  const names = settings.matchAll(/(?:certificateFile|secretFile): "?[^"\s]+\/([^"\s/]+)/g);
  for (const [, name = ""] of names) {
    await thief.writeFile(`/srv/clone/${name}`, await first.readFile(`${state}/${name}`), {
      owner,
      mode: 0o600,
    });
  }
  const argv = [
    thief.nodePath,
    `${thief.projectPath}/dist/castellan-agent.js`,
    "run",
    "--config",
    "/srv/clone/agent.yaml",
  ];
  const clone = await thief.spawn(argv, { user: owner, logFile: thief.path("/var/log/clone.log") });
  onTestFinished(async () => {
    clone.kill("SIGKILL");
    await clone.exited;
  });
  const alert = await waitFor(
    async () => {
      const alerts = await castellan.json<{ summary: string; detail: string; state: string }[]>([
        "alert",
        "list",
      ]);
      return alerts.find(({ summary }) => summary === "two agents claim to be srv159");
    },
    { timeoutMs: 20_000, what: "the alert" },
  );
  expect(alert.detail).toContain("192.168.4.129");
  await castellan.connected(["srv159"]);
});

test("an agent of another protocol, and messages that are none, are answered with a reason and change nothing", async () => {
  const { host } = cluster.node("srv159");
  const settings = await host.readFile("/etc/castellan/agent.yaml");
  const secretFile = /secretFile: "?([^"\s]+)/.exec(settings)?.[1] ?? "";
  const secret = (await host.readFile(secretFile)).trim();
  const speak = (message: string | Buffer, as = secret) =>
    speakAs(lab, { address: "192.168.4.10", port: 7300, node: "srv159", secret: as }, message);
  const hello = {
    type: "hello",
    agentVersion: "0.0.1",
    node: "srv159",
    instanceId: "x",
    highestEpoch: 0,
    clockMs: 0,
  };

  expect(await speak(JSON.stringify({ ...hello, protocol: 99 }))).toMatchObject({
    code: 4426,
    reason: expect.stringMatching(/speaks protocol 99, coordinator \S+ speaks \d+: install/),
  });
  const wrong = [
    JSON.stringify({ ...hello, protocol: 1, surprise: true }),
    JSON.stringify({ ...hello, protocol: 1 }).slice(0, 40),
    JSON.stringify({ type: "command-accepted", commandId: "x" }),
    Buffer.from([0, 1, 2, 255]),
  ];
  for (const message of wrong) expect((await speak(message)).code).toBe(4400);
  // ws itself ends a message over the limit before it is read (RFC 6455: 1009).
  expect((await speak("x".repeat(64 * 1024 * 1024))).code).toBe(1009);
  expect((await speak(JSON.stringify(hello), "A".repeat(43))).code).toBe(4401);
  await castellan.connected(["srv159"]);
  expect(castellan.coordinator().isRunning()).toBe(true);
});

test("a journal that is read-only, damaged or newer is left alone, and the coordinator says what to do", async () => {
  const { coordinatorHost: host, stateDirectory } = castellan;
  const journal = `${stateDirectory}/journal.db`;
  const start = () => castellan.cli(["coordinator", "run"], { reject: false, timeoutMs: 15_000 });

  const double = await start();
  expect(double.stderr).toMatch(/Another coordinator \(pid \d+\) is running/);
  expect(double.exitCode).toBe(7);

  castellan.coordinator().kill("SIGTERM");
  await castellan.coordinator().exited;
  const away = await castellan.cli(["status"], { reject: false });
  expect(away.stderr).toMatch(/No coordinator answers on \S+api\.sock[\s\S]*next: start it/);
  expect(away.exitCode).toBe(6);

  await host.exec(["cp", "-a", journal, `${journal}.kept`]);
  await host.exec(["chmod", "0400", journal]);
  await expectNoStart(12, /read-only \(mode 400\)[\s\S]*chmod 0600/);
  await host.exec(["chmod", "0600", journal]);

  // https://www.sqlite.org/fileformat2.html: the user version, at offset 60.
  const at60 = ["dd", `of=${journal}`, "bs=1", "seek=60", "conv=notrunc"];
  await host.exec(at60, { input: "\0\0\0c" });
  await expectNoStart(11, /has schema 99; this program knows schemas up to \d+/);

  await host.exec(["cp", "-a", `${journal}.kept`, journal]);
  await host.exec([
    "dd",
    "if=/dev/urandom",
    `of=${journal}`,
    "bs=4096",
    "seek=1",
    "count=4",
    "conv=notrunc",
  ]);
  await expectNoStart(12, /corrupt[\s\S]*castellan store restore FILE/);
  await host.exec(["truncate", "-s", "0", journal]);
  await expectNoStart(12, /empty \(0 bytes\)/);
  await host.exec(["rm", journal]);
  await expectNoStart(12, /There is no journal[\s\S]*castellan init/);

  await host.exec(["mv", `${journal}.kept`, journal]);
  await castellan.startCoordinator();
  await castellan.connected(["srv127", "srv129", "srv159"]);

  async function expectNoStart(exitCode: number, says: RegExp): Promise<void> {
    const before = await bytes();
    const answer = await start();
    expect(answer.stderr).toMatch(says);
    expect(answer.exitCode, answer.stderr).toBe(exitCode);
    expect(await bytes()).toBe(before);
  }
  async function bytes(): Promise<string> {
    return (await host.exec(["sha256sum", journal], { reject: false })).stdout;
  }
});
