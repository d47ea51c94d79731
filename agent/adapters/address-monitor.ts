import { execa } from "execa";

export type AddressMonitor = Disposable & {
  /** Resolves when it is over, with its last words. */
  readonly ended: Promise<string>;
};

/**
 * `ip monitor`: a line for every address and route that comes or goes. setpriv(1) has the kernel end it with the agent:
 * the unit leaves children alone, and one that nobody reads would stay until the next line.
 */
export function startAddressMonitor(onLine: () => void): AddressMonitor {
  const child = execa("setpriv", ["--pdeathsig", "TERM", "ip", "monitor", "address", "route"], {
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" },
    extendEnv: false,
    cwd: "/",
    stdin: "ignore",
    buffer: false,
    reject: false,
  });
  let words = "";
  child.stdout.on("data", () => onLine());
  child.stderr.on("data", (chunk: Buffer) => {
    words = `${words}${chunk.toString("utf8")}`.slice(-500);
  });
  return {
    ended: child.then(
      ({ exitCode, signal, originalMessage }) =>
      words.trim() || originalMessage || `it ended (${signal ?? exitCode ?? "?"})`, // prettier-ignore
    ),
    [Symbol.dispose]: () => void child.kill("SIGTERM"),
  };
}
