import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import type { AlertRecord, EventRecord, MuteRecord } from "#coordinator/store/store.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import { failures } from "#shared/errors.ts";
import { projectRoot } from "#test/harness/project-root.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { startReceiver } from "./http-receiver.ts";
import { makeStateFolder } from "./test-coordinator.ts";

const bundle = join(projectRoot(), "dist/castellan.js");
const drift = { cause: "node:srv127:file:/f", severity: "warning", node: "srv127", summary: "/f differs", detail: "-a\n+b" } as const; // prettier-ignore

/** The programs as an operator has them, with these sinks; two alerts stand before they start. */
async function startLab(sinks: string, files: Readonly<Record<string, string>> = {}) {
  const folder = await makeStateFolder();
  writeFileSync(join(folder.path, "settings.yaml"), `listen: {address: 127.0.0.1, port: 0}\nsinks: ${sinks}\n`); // prettier-ignore
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder.path, name), text, { mode: 0o600 });
  }
  {
    using store = openStore({ file: join(folder.path, "journal.db"), keptEvents: 1_000, now: 0 });
    store.raiseAlert(drift, 1);
    store.raiseAlert({ ...drift, cause: "node:srv129:file:/f", node: "srv129" }, 2);
  }
  const cli = (args: readonly string[]) =>
    execa(process.execPath, [bundle, "--state-dir", folder.path, ...args], { reject: false });
  const runDaemon = () => {
    const args = [bundle, "--state-dir", folder.path, "coordinator", "run"];
    return execa(process.execPath, args, { reject: false, all: true });
  };
  const running: ReturnType<typeof runDaemon>[] = [];
  const start = async (): Promise<void> => {
    running.push(runDaemon());
    await waitFor(async () => (await cli(["status"])).exitCode === 0, { timeoutMs: 30_000 });
  };
  await start();
  const logs: string[] = [];
  const stop = async (): Promise<void> => {
    for (const daemon of running.splice(0)) {
      daemon.kill("SIGTERM");
      const { all, exitCode, signal } = await daemon;
      logs.push(all);
      expect([exitCode, signal]).toEqual([0, undefined]);
    }
  };
  return {
    folder,
    cli,
    logs,
    stop,
    json: async <T>(args: readonly string[]) =>
      JSON.parse((await cli([...args, "--json"])).stdout) as T, // the program's own shape
    /** SIGKILL, and the next one. */
    killAndStart: async () => {
      for (const daemon of running.splice(0)) {
        daemon.kill("SIGKILL");
        await daemon;
      }
      await start();
    },
    restart: async () => {
      await stop();
      await start();
    },
    [Symbol.asyncDispose]: async () => {
      for (const daemon of running) daemon.kill("SIGKILL");
      await Promise.all(running);
      folder[Symbol.dispose]();
    },
  };
}

test("alerts are acknowledged by one, muted for a while, and shown with all that is known", async () => {
  await using lab = await startLab("[]");
  const { cli, json } = lab;
  expect((await cli(["alert", "ack", "1", "--note", "on it"])).stdout).toContain("note: on it");
  // Somebody else, later: another name.
  const second = await execa(process.execPath, [bundle, "--state-dir", lab.folder.path, "alert", "ack", "1"], { reject: false, env: { SUDO_USER: "wang" } }); // prettier-ignore
  expect(second.exitCode).toBe(7);
  expect(second.stderr).toMatch(/has acknowledged alert 1 at 20.*: on it\./);
  const shown = await json<AlertRecord>(["alert", "show", "1"]);
  expect(shown).toMatchObject({ id: 1, state: "acknowledged", note: "on it", isMuted: false });
  expect((await cli(["alert", "show", "1"])).stdout).toContain("+b");
  expect((await cli(["alert", "show", "77"])).exitCode).toBe(8);

  const mute = await json<MuteRecord>(["alert", "mute", "node:srv129:*", "--for", "2h", "--note", "disk"]); // prettier-ignore
  expect(mute).toMatchObject({ pattern: "node:srv129:*", note: "disk" });
  expect(mute.until - mute.mutedAt).toBe(7_200_000);
  expect((await cli(["alert", "mute", "1", "--for", "1d"])).stdout).toContain(
    "node:srv127:file:/f",
  );
  expect((await cli(["alert", "mute", "1", "--for", "31d"])).stderr).toContain("30 days");
  expect((await cli(["alert", "mute", "1", "--for", "soon"])).exitCode).toBe(2);
  expect((await cli(["alert", "mute", "77", "--for", "1d"])).exitCode).toBe(8);
  expect((await cli(["alert", "list"])).stdout).toMatch(/^2 +warning +open, muted .* srv129 +\/f differs$/m); // prettier-ignore
  await lab.restart();
  expect((await cli(["alert", "mutes"])).stdout).toMatch(/node:srv129:\*.*disk/);
  expect((await cli(["alert", "unmute", "node:srv129:*"])).exitCode).toBe(0);
  expect((await cli(["alert", "unmute", "node:srv129:*"])).exitCode).toBe(8);
  expect(await json<MuteRecord[]>(["alert", "mutes"])).toMatchObject([{ pattern: drift.cause }]);
  const events = await json2(cli(["events", "--after", "0", "--json"]));
  expect(events.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(["alert:acknowledged", "mute:begun", "mute:ended"]),
  );
}, 90_000);

async function json2(run: PromiseLike<{ readonly stdout: string }>): Promise<EventRecord[]> {
  const lines = (await run).stdout.trim().split("\n");
  return lines.map((line) => JSON.parse(line) as EventRecord); // the program's own shape
}

test("what a file or an alert holds can't steer the terminal, and an answer that can't be written is no success", async () => {
  await using lab = await startLab("[]");
  await lab.stop();
  const hostile = "+# \u001b]0;owned\u0007\u001b[2J \u009b31m \u202e \u4e2d\u6587\tend\r";
  {
    using store = openStore({ file: join(lab.folder.path, "journal.db"), keptEvents: 1_000, now: 0 }); // prettier-ignore
    store.raiseAlert({ ...drift, cause: "node:srv127:file:/g", detail: hostile }, 3);
  }
  await lab.restart();
  const shown = (await lab.cli(["alert", "show", "3"])).stdout;
  expect(shown).toContain(
    "+# \\u001b]0;owned\\u0007\\u001b[2J \\u009b31m \\u202e \u4e2d\u6587\tend",
  );
  expect((await lab.json<AlertRecord>(["alert", "show", "3"])).detail).toBe(hostile);
  const args = [process.execPath, bundle, "--state-dir", lab.folder.path, "alert", "list"];
  const cut = await execa("sh", ["-c", 'exec "$@" >/dev/full', "sh", ...args], { reject: false });
  expect(cut.exitCode).toBe(failures.RESOURCE_MISSING.exitCode);
  expect(cut.stderr).toContain("ENOSPC");
}, 90_000);

test("events are followed over a restart, each once and in order", async () => {
  await using lab = await startLab("[]");
  const following = execa(process.execPath, [bundle, "--state-dir", lab.folder.path, "events", "--after", "0", "--follow", "--json"], { reject: false, buffer: false }); // prettier-ignore
  const seen: EventRecord[] = [];
  const reading = (async () => {
    for await (const line of following.iterable()) seen.push(JSON.parse(String(line)));
  })();
  const has = (kind: string) => seen.some((event) => event.kind === kind);
  await lab.cli(["alert", "ack", "1"]);
  await waitFor(() => has("alert:acknowledged"));
  await lab.restart();
  await lab.cli(["alert", "mute", "x", "--for", "1h"]);
  await waitFor(() => has("mute:begun"));
  following.kill("SIGINT");
  await reading.catch(() => undefined); // it was interrupted
  const sequences = seen.map(({ sequence }) => sequence);
  expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b));
  const plain = (await lab.cli(["events"])).stdout.split("\n");
  expect(plain.at(-1)).toMatch(/mute:begun .* mutes x until 20/);
}, 90_000);

test("`alert test` shows what a sink answers, and the trouble; the secrets of a sink are said nowhere", async () => {
  await using receiver = await startReceiver();
  receiver.answer = (response, { path, headers }) => {
    if (path.startsWith("/bad")) response.writeHead(500).end(`no ${path}`);
    else response.end(`got ${path} ${String(headers["x-castellan-signature"])} hmacsecret77`);
  };
  const { origin } = new URL(receiver.url);
  const sinks = (folder: string) =>
    JSON.stringify([
      {
        name: "good",
        kind: "webhook",
        urlFile: `${folder}/good-url`,
        secretFile: `${folder}/hmac`,
      },
      { name: "bad", kind: "webhook", urlFile: `${folder}/bad-url`, timeoutMs: 2_000 },
      { name: "away", kind: "webhook", url: "http://127.0.0.1:9/" },
      { name: "pager", kind: "command", argv: ["/bin/sh", "-c", "echo no modem >&2; exit 4"] },
      { name: "unset", kind: "webhook", urlFile: `${folder}/no-such-file` },
    ]);
  await using lab = await startLab("[]", {
    "good-url": `${origin}/good?token=querytoken77\n`,
    "bad-url": `${origin}/bad/pathtoken77\n`,
    hmac: "hmacsecret77\n",
  });
  await lab.stop();
  writeFileSync(join(lab.folder.path, "settings.yaml"), `listen: {address: 127.0.0.1, port: 0}\nsinks: ${sinks(lab.folder.path)}\n`); // prettier-ignore
  await lab.restart();
  const runs = await Promise.all(
    ["good", "bad", "away", "pager", "unset", "none"].map((sink) => lab.cli(["alert", "test", sink])), // prettier-ignore
  );
  const [good, bad, away, pager, unset, none] = runs;
  expect(good).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/good took the test alert: HTTP 200 in \d+ ms\n {2}\| got \[secret\] t=/) }); // prettier-ignore
  expect(bad).toMatchObject({ exitCode: 19, stderr: expect.stringContaining("status 500") });
  expect(away).toMatchObject({ exitCode: 6, stderr: expect.stringContaining("can't be reached") });
  expect(pager).toMatchObject({ exitCode: 19, stderr: expect.stringContaining("  | no modem") });
  expect(unset).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("no-such-file") });
  expect(none).toMatchObject({ exitCode: 8, stderr: expect.stringContaining("good, bad, away, pager, unset") }); // prettier-ignore
  // What stands is told in earnest, too, to the one that takes it.
  await waitFor(() => receiver.received.filter(({ path, body }) => path.startsWith("/good") && body.includes('"test":false')).length === 2); // prettier-ignore
  await waitFor(async () => (await lab.cli(["alert", "list"])).stdout.includes("sink bad does not take alerts"), { timeoutMs: 60_000 }); // prettier-ignore
  const answers = [
    ...runs.flatMap(({ stdout, stderr }) => [stdout, stderr]),
    (await lab.cli(["alert", "list", "--all", "--json"])).stdout,
    (await lab.cli(["events", "--after", "0", "--json"])).stdout,
  ];
  // A sink in trouble keeps nobody from stopping.
  await lab.stop();
  const said = [...answers, ...lab.logs].join("\n");
  expect(said).toContain("status 500");
  expect(said).not.toMatch(/querytoken77|pathtoken77|hmacsecret77/);
  const base64 = ["querytoken77", "pathtoken77", "hmacsecret77"].map((s) => Buffer.from(s).toString("base64").slice(0, 14)); // prettier-ignore
  for (const hidden of base64) expect(said).not.toContain(hidden);
}, 120_000);

test("killed before the answer came, a coordinator sends the same event again, and no other is lost", async () => {
  await using receiver = await startReceiver();
  receiver.answer = () => undefined;
  const sinks = [{ name: "hook", kind: "webhook", url: receiver.url, timeoutMs: 60_000 }];
  await using lab = await startLab(JSON.stringify(sinks));
  const ids = () => receiver.received.map(({ headers }) => headers["x-castellan-event"]);
  await waitFor(() => ids().length === 1);
  await lab.killAndStart();
  await waitFor(() => ids().length === 2);
  receiver.answer = (response) => response.end("{}");
  await lab.killAndStart();
  await waitFor(() => ids().length === 4);
  expect(ids()).toEqual(["1-1-1", "1-1-1", "1-1-1", "2-2-2"]);
}, 90_000);
