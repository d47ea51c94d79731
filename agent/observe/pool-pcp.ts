import { randomUUID } from "node:crypto";
import { asFailure, Failure } from "#shared/errors.ts";
import type { Secret } from "#shared/secret.ts";
import { removePrivateFile, writePrivateFile } from "../adapters/private-file.ts";
import type { AgentSettings } from "../settings.ts";
import type { PoolPorts } from "./pool.ts";

/** The pool's own control programs, only those that change nothing. */
export type PcpReader = {
  /** One backend a line; null where this pool's programs can't do that, or nothing here knows the password. */
  nodes(): Promise<string | null>;
  watchdog(): Promise<string | null>;
  version(): Promise<string | null>;
};

/** An unknown option is no passing trouble: not asked again in this agent's life. */
const unknownOption = /invalid option|unrecognized option|unknown option/i;

export function createPcpReader(
  ports: PoolPorts,
  pool: NonNullable<AgentSettings["pool"]>,
): PcpReader {
  let cannot = false;

  async function run(program: string, more: readonly string[]): Promise<string | null> {
    if (cannot) return null;
    const secret = await ports.secrets.get("pcp");
    // Without the secret the programs look into the OS user's own password file.
    const file = secret === null ? null : await writePassFile(ports, pool.pcpUser, secret);
    try {
      const result = await ports.programs.run(
        `${pool.binDirectory}/${program}`,
        ["-h", pool.pcpHost, "-p", String(pool.pcpPort), "-U", pool.pcpUser, "-w", ...more],
        { timeoutMs: 10_000, ...(file === null ? {} : { env: { PCPPASSFILE: file } }) },
      );
      if (result.exitCode === 0) return result.stdout;
      const said = [...result.stderr, result.stdout].join(" ").trim();
      if (unknownOption.test(said)) cannot = true;
      if (cannot || secret === null) return null;
      throw new Failure("POOL_UNREACHABLE", `${program}: ${said || "no answer"}`, {
        retryable: true,
      });
    } catch (error) {
      const { code } = asFailure(error);
      if (code === "RESOURCE_MISSING" || code === "REFUSED") return null;
      throw error;
    } finally {
      if (file !== null) await removePrivateFile(file);
    }
  }

  return {
    nodes: () => run("pcp_node_info", ["-a"]),
    watchdog: () => run("pcp_watchdog_info", []),
    version: async () => {
      const program = pool.kind === "pgpool" ? "pgpool" : "kingbasecluster";
      try {
        const { stdout, stderr } = await ports.programs.run(
          `${pool.binDirectory}/${program}`,
          ["--version"],
          { timeoutMs: 5_000 },
        );
        const line = [stdout, ...stderr]
          .join("\n")
          .split("\n")
          .find((text) => text.trim() !== "");
        return line?.trim() ?? null;
      } catch {
        return null;
      }
    },
  };
}

/** The programs read the password from a file that their environment names. The store of secrets sweeps the folder. */
async function writePassFile(ports: PoolPorts, user: string, secret: Secret): Promise<string> {
  const path = `${ports.settings.stateDirectory}/password-files/pcp-${randomUUID()}`;
  const escaped = [user, secret.reveal()].map((field) => field.replace(/[\\:]/g, "\\$&"));
  await writePrivateFile(path, `*:*:${escaped.join(":")}\n`);
  return path;
}
