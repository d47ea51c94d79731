import type { Readable, Writable } from "node:stream";

export type HostSpec = { readonly name: string; readonly address: string };

export type ExecOptions = {
  /** OS user on the host; root when not given (loopback without root: whoever runs the lab). */
  readonly user?: string;
  /** Added to a small clean environment (PATH, HOME, USER, LANG). */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** A folder as the host sees it. */
  readonly cwd?: string;
  /** Throw on a non-zero exit code (the default). */
  readonly reject?: boolean;
  readonly timeoutMs?: number;
};

export type ExecResult = {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
};

export type SpawnOptions = {
  readonly user?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Both output streams are appended here (a path as seen from outside); without it they are pipes. */
  readonly logFile?: string;
  /** Linux capabilities for a non-root user, as setpriv names them: ["net_admin", "net_raw"]. */
  readonly capabilities?: readonly string[];
};

/** A long-running process of a host. It ends with the host or the lab at the latest. */
export type HostProcess = {
  /** Pid in the machine's own pid namespace. */
  readonly pid: number;
  /** Pid as the host sees it. */
  readonly insidePid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Resolves when the process has ended; a signal death gives null. */
  readonly exited: Promise<number | null>;
  isRunning(): boolean;
  kill(signal?: NodeJS.Signals): void;
};

export type WriteFileOptions = {
  readonly mode?: number;
  /** User name on the host (its primary group comes along); root, or the lab's user, when not given. */
  readonly owner?: string;
};

/** One machine of a lab. Paths in arguments are as the host itself sees them unless said otherwise. */
export interface Host {
  readonly name: string;
  readonly address: string;
  /** Put before absolute paths that are private to a host: "" in namespaces, its base folder on loopback. */
  readonly root: string;
  /** Node's binary, and the checkout, as seen from inside. */
  readonly nodePath: string;
  readonly projectPath: string;
  /** Folder in which the lib/share/bin of npm's PostgreSQL of that major lies, as seen from inside. */
  nativePostgres(major: 10 | 18): string;
  /** Whether the host is powered on. */
  isUp(): boolean;
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  spawn(argv: readonly string[], options?: SpawnOptions): Promise<HostProcess>;
  /** Where a path of the host lies as seen from outside; works while the host is off, except for /run, /dev/shm and /proc. */
  path(inside: string): string;
  exists(inside: string): boolean;
  readFile(inside: string): Promise<string>;
  /** Writes a file (its folder must exist). */
  writeFile(inside: string, content: string, options?: WriteFileOptions): Promise<void>;
  /** Makes a folder and its missing parents, all owned by `owner`. */
  makeDirectory(inside: string, options?: WriteFileOptions): Promise<void>;
  /** Power loss: the cable goes first, so that no FIN or RST says goodbye, then everything dies. */
  powerOff(): Promise<void>;
  /**
   * Powers a host on that was off: empty /run and /dev/shm, disks as they were, nothing started; or with
   * real systemd as PID 1 (see systemd-host.ts, which prepares the disk for it).
   */
  boot(kind?: "plain" | "systemd"): Promise<void>;
  /** Carrier loss at the switch; addresses stay. Namespaces only. */
  cutLink(): Promise<void>;
  healLink(): Promise<void>;
  /** Most kilobits a second that come in over the cable; null takes the limit away. Namespaces only. */
  setLinkRate(kilobits: number | null): Promise<void>;
  /** Loads an nftables ruleset inside the host. Namespaces only. */
  nft(ruleset: string): Promise<void>;
}
