import { afterAll, beforeAll, expect, test } from "vitest";
import type { ProgramResult, Row, Session } from "#agent/ports.ts";
import { detachBackend } from "#agent/guard/steps/detach-backend.ts";
import type { GuardStepContext } from "#agent/guard/steps/step.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "./guard-bed.ts";

let bed: GuardBed;
beforeAll(async () => {
  bed = await createGuardBed({ product: "postgresql" }, 48);
  await bed.cluster.stop("srv129");
  const gone = "SELECT 1 FROM pg_stat_replication WHERE application_name = 'srv129'";
  await waitFor(async () => (await bed.cluster.sql("srv127", gone)).length === 0, {
    what: "the walsender of srv129 to end",
  });
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

type Rows = { role: string; own: string; other: string };
const detach = { do: "detach-backend", id: 1 } as const;

/** The primary's host, whose pool leads another on srv159, and what was called on it. Both pools are made up. */
async function leader(
  row: Rows,
  onDetach: () => void,
): Promise<{ readonly context: GuardStepContext; readonly called: readonly string[] }> {
  const host = await bed.host("srv127");
  const { cluster } = host.view;
  if (cluster === null) throw new Error("a declared cluster");
  const called: string[] = [];
  const [, second] = cluster.nodes;
  const run = (program: string): Promise<ProgramResult> => {
    const name = program.split("/").at(-1) ?? "";
    called.push(name);
    if (name === "pcp_detach_node") onDetach();
    const exitCode = name === "pcp_watchdog_info" ? 1 : 0;
    const printed: Readonly<Record<string, string>> = {
      pcp_node_info: `${second?.address} ${second?.port} ${row.own} 0.333333 ${row.role}\n`,
      pcp_watchdog_info: "watchdog is not enabled",
    };
    return Promise.resolve({ exitCode, signal: null, timedOut: false, durationMs: 1, stdout: printed[name] ?? "", stderr: [] }); // prettier-ignore
  };
  const pool = { kind: "pgpool", configFile: "/x", binDirectory: "/x", pcpHost: "127.0.0.1", pcpPort: 1, pcpUser: "pcp", port: 1, haModuleFile: null, socketDirectory: "/x" } as const; // prettier-ignore
  const nodes = cluster.nodes.map((node, backendId) => ({ ...node, backendId, pool: backendId === 1 ? null : { port: 1, pcpPort: 1 } })); // prettier-ignore
  const shown: Session = {
    versionNumber: 0,
    query: () => Promise.resolve<Row[]>([{ node_id: 1, status: row.other, role: row.role }]),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const context: GuardStepContext = {
    ...host,
    settings: { ...host.settings, pool },
    programs: { ...host.programs, run },
    databases: {
      ...host.databases,
      own: host.databases.own,
      connect: (login, limits) =>
        login.port === 1 ? Promise.resolve(shown) : host.databases.connect(login, limits),
    },
    view: { ...host.view, cluster: { ...cluster, nodes } },
  };
  return { context, called };
}

test("F17: a row whose role no pool tells is not detached: a pool that loses its primary fails over", async () => {
  // As pgpool 3.6 prints them.
  const { context, called } = await leader({ role: "", own: "2", other: "up" }, () => undefined);
  await expect(detachBackend(detach, context)).rejects.toThrow(
    "no pool tells whether srv129 is its primary",
  );
  expect(called).not.toContain("pcp_detach_node");
});

test("a detach that the pool drops without a word has failed", async () => {
  const row = { role: "standby", own: "2", other: "up" };
  const { context, called } = await leader(row, () => undefined);
  await expect(detachBackend(detach, context)).rejects.toThrow("the pool shows it up");
  expect(called).toContain("pcp_detach_node");
});

test("a detach that another pool does not take over has failed", async () => {
  const row: Rows = { role: "standby", own: "2", other: "up" };
  const { context } = await leader(row, () => {
    row.own = "3";
  });
  await expect(detachBackend(detach, context)).rejects.toThrow("the pool of srv159 shows it up");
  row.own = "2";
  const again = await leader(row, () => {
    row.own = "3";
    row.other = "down";
  });
  expect(await detachBackend(detach, again.context)).toBe("backend 1 (srv129) is detached");
});
