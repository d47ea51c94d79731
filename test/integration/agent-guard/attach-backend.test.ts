import { expect, test } from "vitest";
import type { ProgramResult } from "#agent/ports.ts";
import { attachBackend } from "#agent/guard/steps/attach-backend.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed } from "./guard-bed.ts";

test("nobody is attached when commits wait for others than the look saw", async () => {
  await using bed = await createGuardBed({ product: "postgresql" }, 49);
  const host = await bed.host("srv127");
  const { cluster, facts } = host.view;
  if (cluster === null) throw new Error("a declared cluster");
  await waitFor(async () => (await bed.upstreamOf("srv129")) === "streams from srv127");
  const called: string[] = [];
  const run = (program: string): Promise<ProgramResult> => {
    called.push(program);
    return Promise.resolve({ exitCode: 0, signal: null, timedOut: false, durationMs: 1, stdout: "", stderr: [] }); // prettier-ignore
  };
  const settings = { ...facts.database.settings, synchronous_standby_names: "1 (srv129)" };
  const nodes = cluster.nodes.map((node, backendId) => ({ ...node, backendId }));
  const context = {
    ...host,
    programs: { ...host.programs, run },
    view: {
      ...host.view,
      facts: { ...facts, database: { ...facts.database, settings } },
      cluster: { ...cluster, nodes },
    },
  };
  await expect(attachBackend({ do: "attach-backend", id: 1 }, context)).rejects.toThrow(
    "synchronous_standby_names of srv127 is '' by now",
  );
  expect(called).toEqual([]);
});
