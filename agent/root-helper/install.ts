import { chownSync, closeSync, existsSync, lstatSync, mkdirSync, openSync, readFileSync, readlinkSync } from "node:fs"; // prettier-ignore
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { parsePoolConf, type PoolConf } from "#shared/config-files/pool-conf.ts";
import { poolSettings, type PoolSettings } from "#shared/config-files/pool-settings.ts";
import { productOf, type Product } from "#shared/products/product.ts";
import { Failure } from "#shared/errors.ts";
import {
  nicName,
  path,
  ports,
  settingsFile,
  userName,
  virtualAddress,
  type HelperSettings,
  type PoolStart,
} from "./helper-settings.ts";
import { readPid } from "./pool-process.ts";
import { findProgram, runProgram } from "./run-program.ts";
import { assertTrustedProgram, readRegular, removeFile, replaceFile } from "./trusted-files.ts";
import { verbNames } from "./verb-names.ts";

const installUsage = `castellan-root install --user USER --product kingbase-v8r3|postgresql
  [--root DIR] [--bin-dir DIR] [--pool-config FILE [--pool-program FILE] [--pool-port N]... [--start-pool]]
  [--virtual-address ADDRESS/PREFIX --nic NAME [--label NAME]] [--lib-dir DIR] [--node FILE]`;

export const sudoersFile = "/etc/sudoers.d/castellan";
export const stateDirectory = "/var/lib/castellan-root";
const defaultLibDirectory = "/usr/local/lib/castellan";

/**
 * Run once by root on each host: copies this program to where only root can write, writes its settings and the one
 * sudoers line. Running it again replaces all three. Answers the lines to show.
 */
export async function install(args: readonly string[]): Promise<readonly string[]> {
  const wanted = readOptions(args);
  const node = assertTrustedProgram(wanted.node, "REFUSED");
  const bundle = copyProgram(wanted.libDirectory);
  mkdirSync(dirname(settingsFile), { recursive: true, mode: 0o755 });
  const text = `${JSON.stringify(wanted.settings, null, 2)}\n`;
  replaceFile(settingsFile, text, { uid: 0, gid: 0, mode: 0o644 });
  await putSudoers(sudoersText(wanted.settings.user, node, bundle));
  return [
    `wrote ${bundle}`,
    `wrote ${settingsFile}`,
    `wrote ${sudoersFile}: ${wanted.settings.user} may call ${verbNames.length} fixed verbs as root`,
    `agent.yaml: rootHelper: ${JSON.stringify(["sudo", "-n", node, bundle])}`,
  ];
}

type Wanted = {
  readonly settings: HelperSettings;
  readonly node: string;
  readonly libDirectory: string;
};

function readOptions(args: readonly string[]): Wanted {
  try {
    const option = { type: "string" } as const;
    const { values } = parseArgs({
      args: [...args],
      options: {
        user: option,
        product: option,
        root: option,
        "bin-dir": option,
        "pool-config": option,
        "pool-program": option,
        "pool-port": { type: "string", multiple: true },
        "start-pool": { type: "boolean" },
        "virtual-address": option,
        nic: option,
        label: option,
        "lib-dir": option,
        node: option,
      },
    });
    const user = userName(values.user, "--user");
    assertUserExists(user);
    const product = readProduct(values.product);
    const root = values.root === undefined ? null : path(values.root, "--root");
    const folder =
      values["bin-dir"] === undefined
        ? product.layout({ root, versionNumber: null }).binDirectory
        : path(values["bin-dir"], "--bin-dir");
    const config = values["pool-config"];
    return {
      settings: {
        user,
        pool: config === undefined ? null : readPool(path(config, "--pool-config"), values),
        cron: product.vendor === null ? null : { file: product.vendor.cronFile, user, folder },
        vip: readVip(values["virtual-address"], values.nic, values.label),
        stateDirectory,
      },
      node: path(values.node ?? process.execPath, "--node"),
      libDirectory: path(values["lib-dir"] ?? defaultLibDirectory, "--lib-dir"),
    };
  } catch (error) {
    if (error instanceof Failure) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure("USAGE", `${why}\nusage: ${installUsage}`, { cause: error });
  }
}

function readProduct(id: string | undefined): Product {
  const known = (["kingbase-v8r3", "postgresql"] as const).find((product) => product === id);
  if (known !== undefined) return productOf(known);
  throw new TypeError(`--product is ${id ?? "missing"}; it must be kingbase-v8r3 or postgresql`);
}

function assertUserExists(user: string): void {
  const lines = readFileSync("/etc/passwd", "latin1").split("\n");
  const uid = lines.find((line) => line.startsWith(`${user}:`))?.split(":")[2];
  // Users of a directory service aren't in the file: sudo itself will know them.
  if (uid === "0") throw new TypeError(`--user ${user} is root, who needs no helper`);
}

function readPool(
  config: string,
  values: {
    readonly "pool-program"?: string | undefined;
    readonly "pool-port"?: readonly string[] | undefined;
    readonly "start-pool"?: boolean | undefined;
  },
): NonNullable<HelperSettings["pool"]> {
  const { "pool-program": program, "pool-port": portTexts } = values;
  const content = readRegular(config, 1024 * 1024);
  if (content === null) throw new TypeError(`--pool-config ${config} does not exist`);
  const conf: PoolConf = parsePoolConf(content, config);
  const settings = poolSettings(conf);
  const { pidFile, port } = settings;
  if (pidFile === null) throw new TypeError(`${config} has no pid_file_name`);
  return {
    pidFile: path(pidFile, `pid_file_name in ${config}`),
    program:
      program === undefined
        ? (runningProgram(pidFile) ??
          fail("the pool isn't running: name its binary with --pool-program"))
        : path(program, "--pool-program"),
    ports: ports((portTexts ?? [String(port ?? 9999)]).map(Number), "--pool-port"),
    start: values["start-pool"] === true ? runningStart(pidFile, settings) : null,
  };
}

function readVip(
  address: string | undefined,
  nic: string | undefined,
  label: string | undefined,
): HelperSettings["vip"] {
  if (address === undefined) return null;
  const name = nicName(nic, "--nic");
  return {
    address: virtualAddress(address, "--virtual-address"),
    nic: name,
    label: nicName(label ?? `${name}:2`, "--label"),
  };
}

function fail(message: string): never {
  throw new TypeError(message);
}

/** How the pool that runs now was started: what root sees here is what is started again. */
function runningStart(pidFile: string, settings: PoolSettings): PoolStart {
  const pid = readPid(readRegular(pidFile, 64) ?? "");
  if (pid === null || !existsSync(`/proc/${pid}`)) {
    return fail(
      "the pool isn't running: start it as it should run, then install with --start-pool",
    );
  }
  const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "latin1");
  const status = new Map(read("status").split("\n").map((line) => [line.split(":", 1)[0], line.split(/\s+/).slice(1)])); // prettier-ignore
  const ambient = BigInt(`0x${status.get("CapAmb")?.[0] ?? "0"}`);
  const environment = read("environ").split("\0");
  const { port, socketDir, pcpPort, pcpSocketDir, logDir } = settings;
  const socket = (folder: string | null, number: number | null): readonly string[] =>
    folder === null || number === null
      ? []
      : // The vendor's names stand in HAmodule.conf (public vendor script, build B0290).
        [`${folder}/.s.PGSQL.${number}`, `${folder}/.s.KINGBASE.${number}`];
  const [uid, gid] = [Number(status.get("Uid")?.[0]), Number(status.get("Gid")?.[0])];
  return {
    arguments: read("cmdline").split("\0").slice(1, -1),
    uid,
    gid,
    capabilities: (["net_admin", "net_raw"] as const).filter((_name, i) => (ambient >> BigInt(12 + i)) % 2n === 1n), // prettier-ignore
    libraryPath: environment.find((line) => line.startsWith("LD_LIBRARY_PATH="))?.slice(16) ?? null,
    sockets: [...socket(socketDir, port), ...socket(pcpSocketDir, pcpPort)],
    statusFile: logDir === null ? null : statusFileIn(logDir),
    log: standardError(pid) ?? ownLog(uid, gid),
  };
}

function statusFileIn(folder: string): string | null {
  return ["pgpool_status", "kingbasecluster_status"].map((name) => `${folder}/${name}`).find((file) => existsSync(file)) ?? null; // prettier-ignore
}

/** Where it writes now, if that is a file. */
function standardError(pid: number): string | null {
  const target = readlinkSync(`/proc/${pid}/fd/2`);
  return existsSync(target) && lstatSync(target).isFile() ? target : null;
}

/** Made now: in this folder only root can make it, and the pool's user writes it. */
function ownLog(uid: number, gid: number): string {
  const file = "/var/log/castellan-pool.log";
  closeSync(openSync(file, "a", 0o640));
  chownSync(file, uid, gid);
  return file;
}

/** The binary of the pool that runs now. Only root calls this, and it is shown: root sees what it agrees to. */
function runningProgram(pidFile: string): string | null {
  const pid = readPid(readRegular(pidFile, 64) ?? "");
  if (pid === null) return null;
  try {
    return path(readlinkSync(`/proc/${pid}/exe`), "the pool's program");
  } catch {
    return null;
  }
}

export function installedProgram(folder: string = defaultLibDirectory): string {
  return join(folder, "castellan-root.mjs");
}

/** The agent's user must not be able to change what it may run as root. */
function copyProgram(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const target = installedProgram(folder);
  const own = fileURLToPath(import.meta.url);
  if (own !== target) {
    replaceFile(target, readFileSync(own, "latin1"), { uid: 0, gid: 0, mode: 0o755 });
  }
  return assertTrustedProgram(target, "REFUSED");
}

/** Exact node binary, program and verbs: a sudoers command with arguments matches these and no others. */
export function sudoersText(user: string, node: string, bundle: string): string {
  for (const file of [node, bundle]) {
    if (!/^\/[A-Za-z0-9._/+-]+$/.test(file)) {
      throw new Failure("REFUSED", `${file} has a character that sudoers gives a meaning to`);
    }
  }
  const calls = verbNames.map((verb) => `${node} ${bundle} ${verb}`).join(", ");
  return [
    "# Written by castellan-root install. The agent's fixed verbs, without arguments; see docs/root-helper.md.",
    `Cmnd_Alias CASTELLAN_ROOT = ${calls}`,
    // Answers come through pipes at once, and no variable of the caller (NODE_OPTIONS) reaches root.
    "Defaults!CASTELLAN_ROOT env_reset, !use_pty, !requiretty, !log_input, !log_output",
    `${user} ALL=(root) NOPASSWD: NOSETENV: CASTELLAN_ROOT`,
    "",
  ].join("\n");
}

async function putSudoers(text: string): Promise<void> {
  const visudo = findProgram("visudo");
  if (visudo === null)
    throw new Failure("RESOURCE_MISSING", "visudo is not installed: install sudo");
  const folder = dirname(sudoersFile);
  // sudo reads no file with a dot in its name, so a draft has no effect.
  const draft = join(folder, ".castellan.draft");
  const owner = { uid: 0, gid: 0, mode: 0o440 };
  replaceFile(draft, text, owner);
  try {
    const checked = await runProgram(visudo, ["-cf", draft], "", 10_000);
    if (checked.code !== 0) {
      throw new Failure(
        "REFUSED",
        `visudo does not accept the line: ${checked.err || checked.out}`,
      );
    }
    replaceFile(sudoersFile, text, owner);
  } finally {
    removeFile(draft);
  }
}
