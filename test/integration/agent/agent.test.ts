import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSecrets } from "#agent/adapters/secrets.ts";
import { startAgent } from "#agent/start-agent.ts";
import type { AgentSettings } from "#agent/settings.ts";
import type { CommandEnvelope } from "#shared/domain/commands.ts";
import { createLog } from "#shared/log.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { makeAgentHome } from "./agent-settings.ts";
import { FakeCoordinator, makeCertificate, type Credentials } from "./fake-coordinator.ts";
import { startPostgres, type PostgresServer } from "./postgres-server.ts";

let server: PostgresServer;
let credentials: Credentials;
beforeAll(async () => {
  [server, credentials] = await Promise.all([startPostgres(), makeCertificate()]);
});
afterAll(() => server[Symbol.asyncDispose]());

function onServer(): Pick<AgentSettings, "database" | "paths"> {
  const { dataDirectory, port, superuser } = server;
  return {
    database: { host: "127.0.0.1", port, name: "postgres", user: superuser },
    paths: {
      root: null,
      binDirectory: "/usr/lib/postgresql/15/bin",
      dataDirectory,
      configFile: `${dataDirectory}/postgresql.conf`,
      hbaFile: `${dataDirectory}/pg_hba.conf`,
      identFile: `${dataDirectory}/pg_ident.conf`,
    },
  };
}

function command(more: Partial<CommandEnvelope>): CommandEnvelope {
  return {
    id: "op-abcdefgh/0/run/1",
    epoch: 1,
    operationId: "op-abcdefgh",
    stepId: "create-slot@srv159",
    kind: "create-slot",
    phase: "run",
    args: { slot: "slot_new", forNode: "new", reserve: true, walBudgetBytes: 1_000_000_000 },
    expiresAt: Date.now() + 60_000,
    preconditions: { systemIdentifier: null, role: "primary", timeline: 1 },
    ...more,
  };
}

test("an agent connects, tells its facts, makes a slot on a real server and takes it back", async () => {
  await using coordinator = await FakeCoordinator.start(credentials);
  await using home = await makeAgentHome(coordinator, onServer());
  await (await createSecrets(home.settings.stateDirectory)).set("database", server.password);
  const log = createLog("test", "silent");
  await using agent = await startAgent({
    settings: home.settings,
    log,
    pid: process.pid,
    home: "/",
    watchdogMs: null,
    heap: { collectSoon: () => undefined },
  });
  expect(agent).toBeDefined();
  await coordinator.next("facts");
  expect((await coordinator.next("hello")).node).toBe("srv159");

  coordinator.send({ type: "observe-now" });
  coordinator.send({ type: "observe-now", question: 7 });
  const { facts: observed } = await waitFor(() => coordinator.of("facts").find(({ answers }) => answers === 7)); // prettier-ignore
  expect(coordinator.of("facts").map(({ answers }) => answers)).toEqual([undefined, undefined, 7]);
  expect(observed.database).toMatchObject({ status: "running", role: "primary", timeline: 1 });

  coordinator.send({ type: "command", command: command({}) });
  const ended = await coordinator.ended("op-abcdefgh/0/run/1");
  expect(ended).toMatchObject({ outcome: "done", failure: null });
  expect(coordinator.of("command-accepted")).toHaveLength(1);
  expect(await server.sql("SELECT slot_name FROM pg_replication_slots")).toBe("slot_new");
  expect(await readdir(join(home.settings.stateDirectory, "ledger"))).toHaveLength(1);

  const undo = command({ id: "op-abcdefgh/0/undo/1", phase: "undo" });
  coordinator.send({ type: "command", command: undo });
  expect(await coordinator.ended(undo.id)).toMatchObject({ outcome: "done" });
  expect(await server.sql("SELECT count(*) FROM pg_replication_slots")).toBe("0");

  // A node that is not what the plan took it for.
  const changed = command({
    id: "op-abcdefgh/1/run/1",
    preconditions: { systemIdentifier: null, role: "standby", timeline: null },
  });
  coordinator.send({ type: "command", command: changed });
  expect(await coordinator.ended(changed.id)).toMatchObject({
    outcome: "refused",
    failure: { code: "REFUSED", message: expect.stringContaining("role is primary, not standby") },
  });
  expect(coordinator.bad).toEqual([]);
});
