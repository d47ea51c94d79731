import { isIPv4 } from "node:net";
import { Failure } from "#shared/errors.ts";
import { readTrusted, type Trust } from "./trusted-files.ts";

/** Where the settings are. Nothing in the environment or on the sudo line can name another file. */
export const settingsFile = "/etc/castellan/root-helper.json";

/** What the helper may touch on this host. Written by `castellan-root install`, root's, read at every start. */
export type HelperSettings = {
  /** OS user of the agent, who may call the helper. */
  readonly user: string;
  readonly pool: {
    readonly pidFile: string;
    /** The pool's binary as /proc/PID/exe shows it: only such a process is signalled. */
    readonly program: string;
    /** Client ports, which the door is shut for. */
    readonly ports: readonly number[];
    /** How a dead one is started again; null where that is left to somebody else. Left out by files of earlier versions. */
    readonly start: PoolStart | null;
  } | null;
  readonly cron: {
    /** The vendor's cron file. */
    readonly file: string;
    /** OS user and folder in the line of network_rewind.sh. */
    readonly user: string;
    readonly folder: string;
  } | null;
  /** The database's virtual address; null where this host never carries it. Left out by files of earlier versions. */
  readonly vip: {
    /** With its prefix: 192.168.4.200/24 */
    readonly address: string;
    readonly nic: string;
    /** Of the address, as the product's scripts write it: ens33:2 */
    readonly label: string;
  } | null;
  /** Root's own folder for saved copies. */
  readonly stateDirectory: string;
};

/** As it ran when root installed the helper. */
export type PoolStart = {
  /** Behind the program's own name. */
  readonly arguments: readonly string[];
  readonly uid: number;
  readonly gid: number;
  /** Of a pool that is not root's and moves its own virtual address. */
  readonly capabilities: readonly PoolCapability[];
  /** LD_LIBRARY_PATH; null where it had none. */
  readonly libraryPath: string | null;
  /** Of the pool's unix sockets; what a dead pool left of them keeps the next one from starting. */
  readonly sockets: readonly string[];
  /** Which backends were down. */
  readonly statusFile: string | null;
  readonly log: string;
};
type PoolCapability = "net_admin" | "net_raw";

export function loadHelperSettings(file: string, trust?: Trust): HelperSettings {
  const content = readTrusted(file, "CONFIG_INVALID", trust);
  try {
    return readSettings(JSON.parse(content));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure("CONFIG_INVALID", `${file} is wrong: ${why}`, { cause: error });
  }
}

// By hand, not by a schema library: what runs as root should be small enough to be read.
function readSettings(value: unknown): HelperSettings {
  const top = fields(value, "the file", ["user", "pool", "cron", "stateDirectory"], ["vip"]);
  const pool =
    top["pool"] === null
      ? null
      : fields(top["pool"], "pool", ["pidFile", "program", "ports"], ["start"]);
  const cron =
    top["cron"] === null ? null : fields(top["cron"], "cron", ["file", "user", "folder"]);
  const vip =
    top["vip"] === undefined || top["vip"] === null
      ? null
      : fields(top["vip"], "vip", ["address", "nic", "label"]);
  return {
    user: userName(top["user"], "user"),
    pool:
      pool === null
        ? null
        : {
            pidFile: path(pool["pidFile"], "pool.pidFile"),
            program: path(pool["program"], "pool.program"),
            ports: ports(pool["ports"], "pool.ports"),
            start: pool["start"] == null ? null : poolStart(pool["start"]),
          },
    cron:
      cron === null
        ? null
        : {
            file: path(cron["file"], "cron.file"),
            user: userName(cron["user"], "cron.user"),
            folder: path(cron["folder"], "cron.folder"),
          },
    vip:
      vip === null
        ? null
        : {
            address: virtualAddress(vip["address"], "vip.address"),
            nic: nicName(vip["nic"], "vip.nic"),
            label: nicName(vip["label"], "vip.label"),
          },
    stateDirectory: path(top["stateDirectory"], "stateDirectory"),
  };
}

function poolStart(value: unknown): PoolStart {
  const names = ["arguments", "uid", "gid", "capabilities", "libraryPath", "sockets", "statusFile", "log"]; // prettier-ignore
  const start = fields(value, "pool.start", names);
  return {
    arguments: words(start["arguments"], "pool.start.arguments"),
    uid: id(start["uid"], "pool.start.uid"),
    gid: id(start["gid"], "pool.start.gid"),
    capabilities: words(start["capabilities"], "pool.start.capabilities").map((name) => {
      if (name === "net_admin" || name === "net_raw") return name;
      throw new TypeError(`pool.start.capabilities has ${name}; net_admin and net_raw are known`);
    }),
    libraryPath:
      start["libraryPath"] === null ? null : path(start["libraryPath"], "pool.start.libraryPath"),
    sockets: words(start["sockets"], "pool.start.sockets").map((file) => path(file, "a socket")),
    statusFile:
      start["statusFile"] === null ? null : path(start["statusFile"], "pool.start.statusFile"),
    log: path(start["log"], "pool.start.log"),
  };
}

/** Words that mean themselves to a program, and nothing else to anybody. */
function words(value: unknown, where: string): readonly string[] {
  if (!Array.isArray(value) || value.length > 32) throw new TypeError(`${where} must be a list`);
  return value.map((word: unknown) => {
    if (typeof word === "string" && /^[A-Za-z0-9._/+@:,=-]{1,200}$/.test(word)) return word;
    throw new TypeError(`${where} has ${JSON.stringify(word)}: only letters, digits and ._/+@:,=-`);
  });
}

function id(value: unknown, where: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  throw new TypeError(`${where} must be a number`);
}

function fields(
  value: unknown,
  where: string,
  names: readonly string[],
  optional: readonly string[] = [],
): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${where} must be an object`);
  }
  const entries = Object.entries(value);
  const unknown = entries.find(([name]) => !names.includes(name) && !optional.includes(name));
  if (unknown !== undefined) throw new TypeError(`${where} has an unknown field ${unknown[0]}`);
  const missing = names.find((name) => !entries.some(([present]) => present === name));
  if (missing !== undefined) throw new TypeError(`${where} lacks the field ${missing}`);
  return Object.fromEntries(entries);
}

/** Refuses what could change its meaning on the way to a program or a file. */
export function path(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^\/[A-Za-z0-9._/+@:,=-]*$/.test(value)) {
    throw new TypeError(`${where} must be an absolute path of letters, digits and ._/+@:,=-`);
  }
  if (value.split("/").includes("..")) throw new TypeError(`${where} has .. in it`);
  return value;
}

export function userName(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^[a-z_][a-z0-9_-]{0,31}$/.test(value)) {
    throw new TypeError(`${where} must be the name of an OS user`);
  }
  return value;
}

/** ARP is IPv4's: an address of IPv6 has another way of being announced. */
export function virtualAddress(value: unknown, where: string): string {
  const match = typeof value === "string" ? /^([0-9.]{7,15})\/(\d{1,2})$/.exec(value) : null;
  if (match === null || !isIPv4(match[1] ?? "") || Number(match[2]) > 32) {
    throw new TypeError(`${where} must be an IPv4 address with its prefix, like 192.168.4.200/24`);
  }
  return match[0];
}

/** Of an interface or a label on it, as the kernel takes them. */
export function nicName(value: unknown, where: string): string {
  if (typeof value !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._:-]{0,14}$/.test(value)) {
    throw new TypeError(`${where} must be a name of at most 15 letters, digits and ._:-`);
  }
  return value;
}

export function ports(value: unknown, where: string): readonly number[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > 16) {
    throw new TypeError(`${where} must be a list of 1 to 16 ports`);
  }
  return value.map((port: unknown) => {
    if (typeof port !== "number" || !Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new TypeError(`${where} has ${JSON.stringify(port)}; ports go from 1 to 65535`);
    }
    return port;
  });
}
