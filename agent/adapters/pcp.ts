import { randomBytes } from "node:crypto";
import { mkdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "#shared/errors.ts";
import type { Secret } from "#shared/secret.ts";
import type { Ports, ProgramResult } from "../ports.ts";
import { writeAtomically } from "./atomic-write.ts";
import { orNull } from "./file-failure.ts";
import { parseNodeInfo, parseWatchdogInfo, type PcpNode, type PcpWatchdog } from "./pcp-output.ts";

/** The control port of this host's pool, through the product's own pcp programs. */
export type Pcp = AsyncDisposable & {
  /** A row as the running pool has it; null where it has none of that id. */
  node(id: number): Promise<PcpNode | null>;
  /** null where the pool runs without a watchdog. */
  watchdog(): Promise<PcpWatchdog | null>;
  /** With a watchdog these are passed on to every pool of the cluster. */
  attach(id: number): Promise<void>;
  detach(id: number): Promise<void>;
  reload(): Promise<void>;
};

const limitMs = 10_000;

/**
 * The password goes through a file of our own (0600, gone on dispose), never through an argument. Without the secret
 * `pcp` the programs look into the OS user's own .pcppass.
 */
export async function openPcp({
  settings,
  programs,
  secrets,
}: Pick<Ports, "settings" | "programs" | "secrets">): Promise<Pcp> {
  const { pool } = settings;
  if (pool === null) {
    throw new Failure("REFUSED", `${settings.node} runs no pool`, {
      hint: "If it does, declare it under pool: in agent.yaml and restart the agent.",
    });
  }
  const secret = await secrets.get("pcp");
  const passFile =
    secret === null ? null : await writePassFile(settings.stateDirectory, pool.pcpUser, secret);
  const call = (program: string, args: readonly string[]): Promise<ProgramResult> =>
    programs.run(
      join(pool.binDirectory, program),
      ["-w", "-U", pool.pcpUser, "-h", pool.pcpHost, "-p", String(pool.pcpPort), ...args],
      { timeoutMs: limitMs, ...(passFile === null ? {} : { env: { PCPPASSFILE: passFile } }) },
    );
  const must = async (program: string, args: readonly string[]): Promise<string> => {
    const result = await call(program, args);
    if (result.exitCode === 0 && !/^ERROR/m.test(result.stdout)) return result.stdout;
    throw pcpFailure(program, `${pool.pcpHost}:${pool.pcpPort}`, result);
  };
  return {
    node: async (id) => {
      const result = await call("pcp_node_info", ["-v", "-n", String(id)]);
      if (result.exitCode === 0) return parseNodeInfo(result.stdout);
      if (says(result, /invalid node ?id|node id .*out of range/i)) return null;
      throw pcpFailure("pcp_node_info", `${pool.pcpHost}:${pool.pcpPort}`, result);
    },
    watchdog: async () => {
      const result = await call("pcp_watchdog_info", ["-v"]);
      if (result.exitCode === 0) return parseWatchdogInfo(result.stdout);
      if (says(result, /watchdog (is )?(not enabled|disabled)|informing watchdog info failed/i)) {
        return null;
      }
      throw pcpFailure("pcp_watchdog_info", `${pool.pcpHost}:${pool.pcpPort}`, result);
    },
    attach: async (id) => void (await must("pcp_attach_node", ["-n", String(id)])),
    detach: async (id) => void (await must("pcp_detach_node", ["-n", String(id)])),
    reload: async () => void (await must("pcp_reload_config", [])),
    [Symbol.asyncDispose]: async () => {
      if (passFile !== null) await orNull(unlink(passFile));
    },
  };
}

/** `*:*:USER:PASSWORD`: an entry with a host name would not match the same host under another name. */
async function writePassFile(state: string, user: string, secret: Secret): Promise<string> {
  // The store of secrets sweeps this folder after a crash.
  const folder = join(state, "password-files");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `pcp-${randomBytes(8).toString("hex")}`);
  const escaped = [user, secret.reveal()].map((field) => field.replaceAll(/[\\:]/g, "\\$&"));
  await writeAtomically(path, Buffer.from(`*:*:${escaped.join(":")}\n`), { mode: 0o600 });
  return path;
}

function says(result: ProgramResult, pattern: RegExp): boolean {
  return pattern.test([result.stdout, ...result.stderr].join("\n"));
}

function pcpFailure(program: string, where: string, result: ProgramResult): Failure {
  const said = [...result.stderr, ...result.stdout.split("\n")].filter((line) => line !== "");
  const evidence = said.slice(-10);
  const first = said[0] ?? "it said nothing";
  if (says(result, /authentication failed|no password supplied/i)) {
    return new Failure("AUTHENTICATION_FAILED", `${program} at ${where}: ${first}`, {
      hint: "Give this host the pool's control password: castellan-agent secret set pcp",
      evidence,
    });
  }
  if (
    result.timedOut ||
    says(result, /connection (to .* )?refused|could not connect|connect failed/i)
  ) {
    return new Failure("POOL_UNREACHABLE", `${program} at ${where}: ${first}`, {
      hint: "Is the pool running, and does pcp_listen_addresses hold this address?",
      evidence,
      retryable: true,
    });
  }
  const end = result.exitCode ?? result.signal ?? "nothing";
  return new Failure("PROGRAM_FAILED", `${program} at ${where} ended with ${end}: ${first}`, {
    evidence,
    retryable: true,
  });
}
