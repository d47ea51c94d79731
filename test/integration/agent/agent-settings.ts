import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandKinds } from "#shared/domain/commands.ts";
import { defaultGuard, defaultLimits, type AgentSettings } from "#agent/settings.ts";
import { clientBin } from "#test/harness/postgres.ts";
import type { FakeCoordinator } from "./fake-coordinator.ts";

export type AgentHome = AsyncDisposable & {
  readonly folder: string;
  readonly settings: AgentSettings;
};

/** A joined host in a folder of its own: certificate, secret and settings as `join` leaves them. */
export async function makeAgentHome(
  coordinator: FakeCoordinator,
  more: Partial<AgentSettings> = {},
): Promise<AgentHome> {
  const folder = await mkdtemp(join(tmpdir(), "castellan-agent-"));
  const stateDirectory = join(folder, "state");
  const dataDirectory = more.paths?.dataDirectory ?? join(folder, "data");
  await mkdir(stateDirectory, { mode: 0o700 });
  const certificateFile = join(stateDirectory, "coordinator.pem");
  const secretFile = join(stateDirectory, "agent-secret");
  await writeFile(certificateFile, coordinator.credentials.certificate);
  await writeFile(secretFile, coordinator.secret, { mode: 0o600 });
  const settings: AgentSettings = {
    node: "srv159",
    coordinator: {
      url: `wss://127.0.0.1:${coordinator.port}/agent`,
      certificateFile,
      secretFile,
    },
    stateDirectory,
    product: "postgresql",
    paths: {
      root: null,
      binDirectory: clientBin,
      dataDirectory,
      configFile: `${dataDirectory}/postgresql.conf`,
      hbaFile: `${dataDirectory}/pg_hba.conf`,
      identFile: `${dataDirectory}/pg_ident.conf`,
    },
    database: { host: "127.0.0.1", port: 1, name: "postgres", user: "postgres" },
    pool: null,
    rootHelper: null,
    start: { mode: "ctl" },
    allow: { paths: [folder], programs: [clientBin, "/usr/bin"], verbs: [...commandKinds] },
    guard: defaultGuard,
    limits: { ...defaultLimits, reconnectFirstMs: 20, reconnectMostMs: 200 },
    ...more,
  };
  return {
    folder,
    settings,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}
