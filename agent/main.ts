// castellan-agent: wiring of the command line; the only file of the agent that reads process.*.
import { homedir } from "node:os";
import { CommanderError } from "commander";
import { asFailure, failures, type Failure } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";
import { productOf } from "#shared/products/product.ts";
import { version } from "#shared/version.ts";
import { createJoinFiles } from "./adapters/join-files.ts";
import { exchangeToken } from "./adapters/join-request.ts";
import { readOneLine } from "./adapters/one-line.ts";
import { findOsUser, readForDefaults } from "./adapters/os-user.ts";
import { createSecrets } from "./adapters/secrets.ts";
import { loadSettings } from "./adapters/settings-file.ts";
import { keepHeapSmall } from "./adapters/small-heap.ts";
import { createSystemd } from "./adapters/systemd.ts";
import { createCommandLine, type Actions } from "./command-line.ts";
import { fence } from "./fence.ts";
import { join } from "./join.ts";
import { joinInput } from "./join-input.ts";
import { startAgent } from "./start-agent.ts";
import { uninstall } from "./uninstall.ts";

/** Answers the exit status (docs/errors.md). */
async function main(): Promise<number | null> {
  try {
    await createCommandLine(actions).parseAsync(process.argv);
    return null;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : failures.USAGE.exitCode;
    const failure = asFailure(error);
    process.stderr.write(failureText(failure));
    return failures[failure.code].exitCode;
  }
}

const actions: Actions = {
  run: async ({ config, logLevel }) => {
    const { settings } = await loadSettings(config);
    const log = createLog("castellan-agent", logLevel);
    const watchdogMs = milliseconds(process.env["WATCHDOG_USEC"]);
    using systemd = createSystemd({
      socket: process.env["NOTIFY_SOCKET"] ?? null,
      watchdogMs,
      log,
    });
    // A defect, but no reason to leave the host without its guard.
    process.on("unhandledRejection", (err) => {
      log.error({ err }, "Something failed that nobody waited for; the agent works on.");
    });
    const stopped = stopSignal();
    using heap = keepHeapSmall(10_000);
    const agent = await startAgent({ settings, log, pid: process.pid, home: homedir(), heap, watchdogMs }); // prettier-ignore
    systemd.ready(`node ${settings.node}`);
    const signal = await stopped;
    log.info({ signal }, "Stopping; databases and detached jobs go on.");
    systemd.stopping();
    // What does not close in time must not keep a host from shutting down.
    setTimeout(() => process.exit(failures.INTERNAL.exitCode), 8_000).unref();
    await agent[Symbol.asyncDispose]();
    // By the same signal, as whoever sent it expects; with our handlers gone it has its default effect.
    process.kill(process.pid, signal);
  },
  fence: async ({ config }) => {
    const { settings } = await loadSettings(config);
    process.stdout.write(`${await fence(settings)}\n`);
  },
  uninstall: async ({ config }) => {
    const { settings } = await loadSettings(config);
    const who = { configFile: config, pid: process.pid, home: homedir() };
    const lines = await uninstall({ settings, ...who });
    process.stdout.write(`${lines.join("\n")}\n`);
  },
  join: async (flags) => {
    const token = flags.token === "-" ? await readOneLine(process.stdin) : flags.token;
    const isRoot = process.getuid?.() === 0;
    const user = flags.user ?? productOf(flags.product).defaults.osUser;
    const osUser = isRoot ? await findOsUser(user) : null;
    const lines = await join({
      input: joinInput(flags, osUser?.home ?? homedir(), readForDefaults),
      fingerprint: flags.fingerprint,
      token,
      configFile: flags.config,
      force: flags.force,
      files: createJoinFiles(osUser),
      exchange: exchangeToken,
      timeoutMs: 15_000,
    });
    process.stdout.write(`${lines.join("\n")}\n`);
  },
  setSecret: async (name, { config }) => {
    const { settings } = await loadSettings(config);
    const secrets = await createSecrets(settings.stateDirectory);
    if (process.stdin.isTTY) process.stderr.write(`Value of ${name} (it will not be shown): `);
    await secrets.set(name, await readHidden());
    process.stdout.write(`Stored secret ${name} on this host.\n`);
  },
  listSecrets: async ({ config, json }) => {
    const { settings } = await loadSettings(config);
    const names = await (await createSecrets(settings.stateDirectory)).names();
    process.stdout.write(json ? `${JSON.stringify(names)}\n` : names.map((n) => `${n}\n`).join(""));
  },
  version: () => {
    process.stdout.write(`${version}\n`);
  },
};

/** The first SIGTERM or SIGINT; the second one is a hurry. */
function stopSignal(): Promise<"SIGTERM" | "SIGINT"> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => {
        process.removeAllListeners("SIGTERM").removeAllListeners("SIGINT");
        resolve(signal);
      });
    }
  });
}

/** A line of standard input; typed on a terminal it does not appear. */
async function readHidden(): Promise<string> {
  const { stdin } = process;
  if (!stdin.isTTY) return readOneLine(stdin);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  let text = "";
  try {
    for await (const chunk of stdin) {
      for (const char of String(chunk)) {
        if (char === "\u0003") process.kill(process.pid, "SIGINT");
        if (char === "\r" || char === "\n" || char === "\u0003" || char === "\u0004") return text;
        text = char === "\u007f" ? text.slice(0, -1) : text + char;
      }
    }
    return text;
  } finally {
    stdin.setRawMode(false);
    process.stderr.write("\n");
  }
}

function milliseconds(microseconds: string | undefined): number | null {
  const value = Number(microseconds);
  return microseconds === undefined || !(value > 0) ? null : value / 1_000;
}

function failureText(failure: Failure): string {
  const lines = [`castellan-agent: ${failure.message}`, ...failure.evidence.map((l) => `  ${l}`)];
  if (failure.hint !== undefined) lines.push(failure.hint);
  if (failure.code === "INTERNAL") lines.push(failure.stack ?? "");
  return `${lines.join("\n")}\n`;
}

process.umask(0o077);
// Last in the file: everything above must be defined before it is used.
const code = await main();
if (code !== null) process.exitCode = code;
