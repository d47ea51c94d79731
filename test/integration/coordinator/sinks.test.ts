import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createTlsServer } from "node:https";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { parse } from "yaml";
import * as z from "zod";
import { testMessage } from "#coordinator/alerts/alert-message.ts";
import { createCommandSink } from "#coordinator/alerts/command-sink.ts";
import { SinksSettings, type SinkSettings } from "#coordinator/alerts/sink-settings.ts";
import { createWebhook } from "#coordinator/alerts/webhook.ts";
import { loadSettings } from "#coordinator/settings.ts";
import { projectRoot } from "#test/harness/project-root.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { startReceiver } from "./http-receiver.ts";
import { makeStateFolder, type StateFolder } from "./test-coordinator.ts";

function tell(given: object, signal = new AbortController().signal) {
  const [settings] = SinksSettings.parse([{ name: "hook", ...given }]);
  if (settings === undefined) throw new Error("no sink");
  return sinkOf(settings).tell(testMessage("hook", "li@a", 1_600_000_000_000), signal);
}

function sinkOf(settings: SinkSettings) {
  return settings.kind === "webhook" ? createWebhook(settings) : createCommandSink(settings);
}

const webhook = (url: string, more: object = {}) => ({ kind: "webhook", url, ...more });

function privateFile(folder: StateFolder, name: string, text: string): string {
  const file = join(folder.path, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

async function failureOf(work: Promise<unknown>) {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("it did not fail");
  return error;
}

test("a receiver that hangs is waited for as long as the settings say", async () => {
  await using receiver = await startReceiver();
  receiver.answer = () => undefined;
  await expect(tell(webhook(receiver.url, { timeoutMs: 100 }))).rejects.toMatchObject({
    code: "SINK_UNREACHABLE",
    message: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+ has not answered within 100 ms\.$/),
    retryable: true,
  });
  // It began to answer, and never ends.
  receiver.answer = (response) => response.writeHead(200).write("{");
  await expect(tell(webhook(receiver.url, { timeoutMs: 100 }))).rejects.toMatchObject({
    message: expect.stringContaining("within 100 ms"),
  });
});

test("of an endless answer only the beginning is read", async () => {
  await using receiver = await startReceiver();
  receiver.answer = (response) => {
    const more = (): void => {
      while (!response.destroyed && response.write("x".repeat(10_000)));
    };
    response.on("drain", more);
    more();
  };
  const told = await tell(webhook(receiver.url, { timeoutMs: 30_000 }));
  expect(told.answer).toHaveLength(4_096);
});

test("a connection that is reset, and one that is refused, are told by their codes", async () => {
  await using receiver = await startReceiver();
  receiver.answer = (response) => response.socket?.resetAndDestroy();
  await expect(tell(webhook(receiver.url))).rejects.toMatchObject({
    code: "SINK_UNREACHABLE",
    message: expect.stringMatching(/can't be reached \((ECONNRESET|UND_ERR_SOCKET)\)/),
  });
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  // It listens on TCP: the address is no path.
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  await expect(tell(webhook(`http://127.0.0.1:${port}/hook`))).rejects.toMatchObject({
    message: `http://127.0.0.1:${port} can't be reached (ECONNREFUSED).`,
  });
  await expect(tell(webhook("http://127.0.0.1:6000/hook"))).rejects.toMatchObject({
    message: "http://127.0.0.1:6000 can't be reached (fetch takes no such port).",
  });
});

test("a redirect is not followed", async () => {
  await using receiver = await startReceiver();
  receiver.answer = (response) =>
    response.writeHead(307, { location: "https://elsewhere.example/x?token=abc" }).end();
  const failure = await failureOf(tell(webhook(receiver.url)));
  expect(failure.message).toMatch(/redirects to https:\/\/elsewhere\.example \(status 307\)/);
  expect(receiver.received).toHaveLength(1);
});

test("a certificate that nobody vouches for is named as such, with the way to trust it", async () => {
  using folder = await makeStateFolder();
  const read = (name: string) => readFileSync(join(folder.path, name));
  const server = createTlsServer({ key: read("key.pem"), cert: read("certificate.pem") });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  // It listens on TCP: the address is no path.
  const { port } = server.address() as AddressInfo;
  try {
    await expect(tell(webhook(`https://127.0.0.1:${port}/hook`))).rejects.toMatchObject({
      code: "SINK_UNREACHABLE",
      message: `The certificate of https://127.0.0.1:${port} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT).`,
      hint: expect.stringContaining("NODE_EXTRA_CA_CERTS"),
    });
  } finally {
    server.close();
  }
});

test("robots get what they want, at the secret URL, and their answers are understood", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  receiver.answer = (response) => response.end('{"errcode":0,"errmsg":"ok"}');
  const { origin } = new URL(receiver.url);
  const urlFile = privateFile(folder, "url", `${origin}/robot/send?access_token=0123456789\n`);
  const secretFile = privateFile(folder, "secret", "SECtestsecret\n");
  const robot = { kind: "webhook", urlFile, template: "dingtalk", secretFile };
  expect(await tell(robot)).toEqual({ status: "HTTP 200", answer: '{"errcode":0,"errmsg":"ok"}' });
  const asked = new URL(receiver.received[0]?.path ?? "", origin);
  expect(Object.fromEntries(asked.searchParams)).toMatchObject({
    access_token: "0123456789",
    timestamp: "1600000000000",
    sign: expect.stringMatching(/^[A-Za-z0-9+/]{43}=$/),
  });
  expect(receiver.received[0]?.path).toMatch(/sign=[^+/&]*%3D$/);
  receiver.answer = (response) => response.end('{"errcode":310000,"errmsg":"sign not match"}');
  await expect(tell(robot)).rejects.toMatchObject({ code: "SINK_REFUSED" });
});

test("no secret is in a failure or an answer, whatever the receiver repeats of it", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  const { origin } = new URL(receiver.url);
  const urlFile = privateFile(
    folder,
    "url",
    `${origin}/hook/pathtoken77?access_token=querytoken77\n`,
  );
  const secretFile = privateFile(folder, "secret", "hmacsecret77\n");
  const sink = { kind: "webhook", urlFile, secretFile };
  const failures: unknown[] = [];
  receiver.answer = (response, { path }) => response.writeHead(404).end(`Cannot POST ${path}, hmacsecret77`); // prettier-ignore
  failures.push(await failureOf(tell(sink)));
  receiver.answer = (response, { path }) => response.end(`took ${path}, hmacsecret77`);
  failures.push(await tell(sink));
  receiver.answer = (response, { path }) => response.writeHead(302, { location: path }).end();
  failures.push(await failureOf(tell(sink)));
  receiver.answer = (response) => response.socket?.resetAndDestroy();
  failures.push(await failureOf(tell(sink)));
  writeFileSync(urlFile, "https://user:hmacsecret77@place/querytoken77\n");
  failures.push(await failureOf(tell(sink)));
  writeFileSync(urlFile, "no url: querytoken77\n");
  failures.push(await failureOf(tell(sink)));
  const said = failures.map((one) => JSON.stringify(everything(one))).join("\n");
  expect(said).toContain("Cannot POST [secret]");
  expect(said).not.toContain("77");
});

/** An error with all that hangs on it. */
function everything(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return {
    ...Object.fromEntries(Object.entries(value)),
    message: value.message,
    stack: value.stack,
    cause: everything(value.cause),
  };
}

test.each([
  [0o644, "chmod 0600"],
  [0o640, "chmod 0600"],
])("a secret that others may read (mode %o) is not used", async (mode, hint) => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  const secretFile = privateFile(folder, "secret", "hunter2\n");
  chmodSync(secretFile, mode);
  await expect(tell(webhook(receiver.url, { secretFile }))).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    hint: expect.stringContaining(hint),
    retryable: true,
  });
  expect(receiver.received).toEqual([]);
});

test("a secret file that is none is said to be none", async () => {
  using folder = await makeStateFolder();
  const at = (name: string) => join(folder.path, name);
  mkdirSync(at("folder"), { mode: 0o700 });
  symlinkSync(at("loop"), at("loop"));
  privateFile(folder, "empty", "\n");
  privateFile(folder, "two", "a\nb\n");
  privateFile(folder, "long", "x".repeat(9_000));
  const words = { absent: "can't be read", folder: "is no file", loop: "can't be read", empty: "one line", two: "one line", long: "longer than" }; // prettier-ignore
  for (const [name, word] of Object.entries(words)) {
    const failure = await failureOf(tell(webhook("http://127.0.0.1:9/", { secretFile: at(name) })));
    expect(failure.message, name).toContain(word);
  }
});

test("a template of the site's is read anew for each alert", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  const template = privateFile(folder, "t.json", '{"a": "{{summary}}"}');
  await tell(webhook(receiver.url, { template }));
  writeFileSync(template, '{"b": "{{severity}}"}');
  await tell(webhook(receiver.url, { template }));
  expect(receiver.received.map(({ body }) => body)).toEqual([
    '{"a": "test of sink hook, asked for by li@a"}',
    '{"b": "info"}',
  ]);
});

test("a template that is no small file is not waited for", async () => {
  using folder = await makeStateFolder();
  const pipe = join(folder.path, "pipe");
  await execa("mkfifo", [pipe]);
  const failure = await failureOf(tell(webhook("http://127.0.0.1:9/", { template: pipe })));
  expect(failure.message).toBe(`${pipe} is no file.`);
});

const command = (argv: readonly string[], more: object = {}) => ({
  kind: "command",
  argv,
  ...more,
});

test("a command gets the alert on its standard input, and its arguments as they are", async () => {
  using folder = await makeStateFolder();
  const out = join(folder.path, "out");
  const script = 'cat > "$1"; printf "%s" "$2" >> "$1"';
  const told = await tell(command(["/bin/sh", "-c", script, "x", out, "$(id) `id`"]));
  expect(told).toEqual({ status: "exit status 0", answer: "" });
  const [line = "", rest] = readFileSync(out, "utf8").split("\n");
  expect(JSON.parse(line)).toMatchObject({ version: 1, test: true, alert: { severity: "info" } });
  expect(rest).toBe("$(id) `id`");
});

test("a command that fails is told with its status and last words; one that reads nothing is none the worse", async () => {
  await expect(tell(command(["/bin/sh", "-c", "echo no pager >&2; exit 3"]))).rejects.toMatchObject(
    {
      code: "SINK_REFUSED",
      message: "/bin/sh failed (exit status 3).",
      evidence: ["no pager"],
      retryable: true,
    },
  );
  await expect(tell(command(["/no/such/program"]))).rejects.toMatchObject({
    message: "/no/such/program failed (ENOENT).",
  });
  expect(await tell(command(["/bin/true"]))).toMatchObject({ status: "exit status 0" });
});

test("a command that has ended well has taken it, whatever it prints and leaves running", async () => {
  const taken = { status: "exit status 0", answer: "" };
  const limit = { timeoutMs: 2_000 };
  const print = "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2";
  expect(await tell(command(["/bin/sh", "-c", print], limit))).toEqual(taken);
  using folder = await makeStateFolder();
  const pids = join(folder.path, "pids");
  const script = 'sleep 1000 & echo $! > "$1"';
  expect(await tell(command(["/bin/sh", "-c", script, "x", pids], limit))).toEqual(taken);
  const pid = readFileSync(pids, "utf8").trim();
  expect(isRunning(pid)).toBe(true);
  process.kill(Number(pid), "SIGKILL");
});

test("a command that hangs is killed with all that it has started, and not waited for longer", async () => {
  using folder = await makeStateFolder();
  const pids = join(folder.path, "pids");
  const script = 'sleep 1000 & echo $! > "$1"; echo $$ >> "$1"; wait';
  const asked = tell(command(["/bin/sh", "-c", script, "x", pids], { timeoutMs: 1_000 }));
  await expect(asked).rejects.toMatchObject({
    code: "SINK_UNREACHABLE",
    message: "/bin/sh has not ended within 1000 ms; it was killed.",
  });
  for (const pid of readFileSync(pids, "utf8").trim().split("\n")) {
    await waitFor(() => !isRunning(pid), { what: `the end of ${pid}` });
  }
});

test("a command that hangs ends with the coordinator", async () => {
  using folder = await makeStateFolder();
  const pids = join(folder.path, "pids");
  const closing = new AbortController();
  const asked = tell(
    command(["/bin/sh", "-c", 'echo $$ > "$1"; sleep 1000', "x", pids]),
    closing.signal,
  );
  await waitFor(() => existsSync(pids) && readFileSync(pids, "utf8").endsWith("\n"));
  closing.abort();
  await expect(asked).rejects.toMatchObject({ code: "SINK_UNREACHABLE" });
  await waitFor(() => !isRunning(readFileSync(pids, "utf8").trim()));
});

/** A zombie has ended. */
function isRunning(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

test.each([
  [[{ name: "Hook", kind: "command", argv: ["/bin/true"] }], /lower-case/],
  [[{ name: "a", kind: "command", argv: ["true"] }], /absolute/],
  [[{ name: "a", kind: "command", argv: [] }], /./],
  [[{ name: "a", kind: "webhook" }], /either url or urlFile/],
  [[{ name: "a", kind: "webhook", url: "http://h/", urlFile: "/f" }], /either url or urlFile/],
  [[{ name: "a", kind: "webhook", url: "ftp://h/" }], /http/],
  [[{ name: "a", kind: "webhook", url: "https://h/x?token=1" }], /urlFile/],
  [[{ name: "a", kind: "webhook", url: "https://u:p@h/x" }], /urlFile/],
  [
    [{ name: "a", kind: "webhook", url: "https://h/x", template: "feishu" }],
    /the URL of a robot is a secret/,
  ],
  [
    [{ name: "a", kind: "webhook", urlFile: "/f", template: "wecom", secretFile: "/s" }],
    /no secret beside its URL/,
  ],
  [
    [{ name: "a", kind: "webhook", url: "https://h/", template: "alertmanager" }],
    /api\/v2\/alerts/,
  ],
  [[{ name: "a", kind: "webhook", url: "https://h/", template: "slack" }], /./],
  [[{ name: "a", kind: "webhook", url: "https://h/", secret: "x" }], /secret/],
  [
    [
      { name: "a", kind: "command", argv: ["/bin/true"] },
      { name: "a", kind: "command", argv: ["/bin/true"] },
    ],
    /same name/,
  ],
])("settings of sinks that can't be meant are refused: %j", (sinks, message) => {
  const parsed = SinksSettings.safeParse(sinks);
  expect(parsed.success).toBe(false);
  expect(parsed.error?.message).toMatch(message);
});

test("the example of the documentation is one that is taken", () => {
  const text = readFileSync(join(projectRoot(), "docs/alerts.md"), "utf8");
  const example: unknown = parse(/```yaml\n([^`]*)```/.exec(text)?.[1] ?? "");
  const { sinks } = z.object({ sinks: SinksSettings }).parse(example);
  expect(sinks.map(({ name }) => name)).toEqual(["ops", "am", "dba-group", "pager"]);
});

test("a mistake in a sink is shown with its place in settings.yaml", async () => {
  using folder = await makeStateFolder();
  const file = join(folder.path, "settings.yaml");
  writeFileSync(file, "sinks:\n  - name: a\n    kind: webhook\n    url: https://h/x?token=1\n");
  expect(() => loadSettings(folder.path)).not.toThrow(/token=/);
  expect(() => loadSettings(folder.path)).toThrow(/^sinks\.0\.url: .*urlFile.*settings\.yaml:4:10/);
});
