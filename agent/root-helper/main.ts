// castellan-root: the only program of ours that runs as root, through one sudoers line. Exactly one verb,
// settings from a root-owned file, nothing from the environment, no shell.
// Exit status 0: done, or nothing to do; else that of the failure in shared/errors.ts: 2 wrong call or unsafe
// settings, 10 what was found is not ours to touch, 13 not available on this host, 14 a program failed.
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { asFailure, Failure, failures } from "#shared/errors.ts";
import { loadHelperSettings, settingsFile } from "./helper-settings.ts";
import { install } from "./install.ts";
import { uninstall } from "./uninstall.ts";
import { isVerb, verbNames } from "./verb-names.ts";
import { verbs } from "./verbs.ts";

process.umask(0o022);
try {
  await run(process.argv.slice(2));
} catch (error) {
  const { code, evidence, message, hint } = asFailure(error);
  const lines = [...evidence, `castellan-root: ${message}`, ...(hint === undefined ? [] : [hint])];
  process.stderr.write(`${lines.join("\n")}\n`);
  process.exitCode = failures[code].exitCode;
}

async function run(args: readonly string[]): Promise<void> {
  const calledBySudo =
    process.env["SUDO_UID"] !== undefined || process.env["SUDO_USER"] !== undefined;
  if (process.getuid?.() !== 0) {
    throw new Failure("USAGE", "must be run as root: sudo -n castellan-root VERB");
  }
  // The sudoers line that this writes holds none but the verbs: an agent can do neither of these.
  const [first, ...rest] = args;
  if (first === "install" || first === "uninstall") {
    const lines = first === "install" ? await install(rest) : uninstall(rest);
    process.stdout.write(`${lines.join("\n")}\n`);
    return;
  }
  // Root itself may try other settings; through sudo there is no way to name a file.
  const own = args[0] === "--settings" && !calledBySudo;
  const file = own ? (args[1] ?? "") : settingsFile;
  const [verb, ...more] = own ? args.slice(2) : args;
  if (verb === undefined || !isVerb(verb) || more.length > 0) {
    throw new Failure("USAGE", `wants exactly one of: ${verbNames.join(" ")}`);
  }
  const settings = loadHelperSettings(file);
  const input = createInterface({ input: process.stdin, crlfDelay: Infinity });
  // Taken at once: lines that come before somebody asks for them would be lost.
  const iterator = input[Symbol.asyncIterator]();
  const lines = { [Symbol.asyncIterator]: () => iterator };
  const endInput = (): void => input.close();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, endInput);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  // Whoever started us is gone: nobody reads what we print, but the door must be opened.
  process.stdout.on("error", endInput);
  const io = { lines, print, now: () => performance.now() };
  const said = await verbs[verb]({ settings, io, sleep: (ms) => sleep(ms) });
  input.close();
  process.stdin.destroy();
  if (said !== "") process.stdout.write(said.endsWith("\n") ? said : `${said}\n`);
}
