import { expect, test } from "vitest";
import type { ProgramResult } from "#agent/ports.ts";
import { detachBackend } from "#agent/guard/steps/detach-backend.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed } from "./guard-bed.ts";

test("a row whose role no pool tells is not detached: a pool that loses its primary fails over", async () => {
  await using bed = await createGuardBed({ product: "postgresql" }, 48);
  const host = await bed.host("srv127");
  const { cluster } = host.view;
  if (cluster === null) throw new Error("a declared cluster");
  await bed.cluster.stop("srv129");
  const gone = "SELECT 1 FROM pg_stat_replication WHERE application_name = 'srv129'";
  await waitFor(async () => (await bed.cluster.sql("srv127", gone)).length === 0, {
    what: "the walsender of srv129 to end",
  });
  const called: string[] = [];
  const [, second] = cluster.nodes;
  /** As pgpool 3.6 prints them. */
  const printed: Readonly<Record<string, string>> = {
    pcp_node_info: `${second?.address} ${second?.port} 2 0.333333\n`,
    pcp_watchdog_info: "watchdog is not enabled",
  };
  const run = (program: string): Promise<ProgramResult> => {
    const name = program.split("/").at(-1) ?? "";
    called.push(name);
    const exitCode = name === "pcp_watchdog_info" ? 1 : 0;
    return Promise.resolve({ exitCode, signal: null, timedOut: false, durationMs: 1, stdout: printed[name] ?? "", stderr: [] }); // prettier-ignore
  };
  const pool = { kind: "pgpool", configFile: "/x", binDirectory: "/x", pcpHost: "127.0.0.1", pcpPort: 1, pcpUser: "pcp", port: 1, haModuleFile: null, socketDirectory: "/x" } as const; // prettier-ignore
  const nodes = cluster.nodes.map((node, backendId) => ({ ...node, backendId, pool: backendId === 0 ? { port: 1, pcpPort: 1 } : null })); // prettier-ignore
  const context = {
    ...host,
    settings: { ...host.settings, pool },
    programs: { ...host.programs, run },
    view: { ...host.view, cluster: { ...cluster, nodes } },
  };
  await expect(detachBackend({ do: "detach-backend", id: 1 }, context)).rejects.toThrow(
    "no pool tells whether srv129 is its primary",
  );
  expect(called).not.toContain("pcp_detach_node");
});
