import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { mkdir, rm } from "node:fs/promises";
import { execa } from "execa";
import { join } from "node:path";
import { createSlot } from "#agent/steps/create-slot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { runStep } from "./run-step.ts";
import { binDirectory, createStepLab, type StepLab } from "./step-lab.ts";
import type { TestAgent } from "./test-agent.ts";

let lab: StepLab;
let agent: TestAgent;
const reserved = { slot: "slot_n2", forNode: "n2", reserve: true, walBudgetBytes: 1e9 };
const slots = "SELECT coalesce(string_agg(slot_name, ','), '') FROM pg_replication_slots";

beforeAll(async () => {
  lab = await createStepLab({
    hba: ["host replication postgres 127.0.0.1/32 scram-sha-256"],
  });
  agent = await lab.agent("n1");
});

beforeEach(async () => {
  await createSlot.undo(reserved, agent);
});

afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

test("a reserved slot holds WAL at once, and the ledger knows its budget", async () => {
  const result = await runStep(createSlot, reserved, agent);
  expect(result.lines[0]).toContain("holds WAL from");
  const entry = await agent.ledger.get("slot:slot_n2");
  expect(entry?.facts).toMatchObject({ forNode: "n2", walBudgetBytes: 1e9, reserve: true });
});

test("an unreserved slot retains nothing", async () => {
  await runStep(createSlot, { ...reserved, reserve: false, walBudgetBytes: null }, agent);
  const lsn = await lab.sql(lab.n1.port, "SELECT restart_lsn IS NULL FROM pg_replication_slots");
  expect(lsn).toBe("t");
});

test("a slot that somebody else made is neither taken nor dropped", async () => {
  await lab.sql(lab.n1.port, "SELECT pg_create_physical_replication_slot('slot_n2')");
  await expect(runStep(createSlot, reserved, agent)).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
    message: expect.stringContaining("Castellan did not make it"),
  });
  await createSlot.undo(reserved, agent);
  expect(await lab.sql(lab.n1.port, slots)).toBe("slot_n2");
  await lab.sql(lab.n1.port, "SELECT pg_drop_replication_slot('slot_n2')");
});

test("a slot that somebody made in place of ours is neither taken nor dropped, though it has our slot's name", async () => {
  await runStep(createSlot, reserved, agent);
  await lab.sql(lab.n1.port, "SELECT pg_drop_replication_slot('slot_n2')");
  await lab.sql(lab.n1.port, "SELECT pg_create_physical_replication_slot('slot_n2', true)");
  await expect(runStep(createSlot, reserved, agent)).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
    message: expect.stringContaining("someone dropped that"),
  });
  const { lines } = await createSlot.undo(reserved, agent);
  expect(lines.join()).toContain("left");
  expect(await lab.sql(lab.n1.port, slots)).toBe("slot_n2");
  expect(await agent.ledger.get("slot:slot_n2")).toBeNull();
  await lab.sql(lab.n1.port, "SELECT pg_drop_replication_slot('slot_n2')");
});

test("a slot whose making was cut off right after it was made is known by its identity from then on", async () => {
  await runStep(createSlot, reserved, agent);
  const entry = await agent.ledger.get("slot:slot_n2");
  if (entry === null) throw new Error("no entry");
  const { identity, ...cutOff } = entry.facts;
  await agent.ledger.put("slot:slot_n2", { ...entry, facts: cutOff });
  await runStep(createSlot, reserved, agent);
  expect(identity).toBeDefined();
  expect((await agent.ledger.get("slot:slot_n2"))?.facts).toEqual({ ...cutOff, identity });
});

test("a slot of another operation is named with that operation", async () => {
  const other = await lab.agent("n1", { operationId: "op-otherother" });
  await runStep(createSlot, reserved, other);
  const mine = await lab.agent("n1");
  await expect(runStep(createSlot, reserved, mine)).rejects.toThrow("op-otherother");
  await createSlot.undo(reserved, mine);
  expect(await lab.sql(lab.n1.port, slots)).toBe("slot_n2");
  await createSlot.undo(reserved, other);
  expect(await lab.sql(lab.n1.port, slots)).toBe("");
  await mine[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

test("after a crash between the note and the creation the slot is made, and is ours", async () => {
  await agent.ledger.put("slot:slot_n2", {
    operationId: agent.operationId,
    at: 1,
    facts: { forNode: "n2", reserve: true, walBudgetBytes: 1e9 },
  });
  await runStep(createSlot, reserved, agent);
  await createSlot.undo(reserved, agent);
  expect(await lab.sql(lab.n1.port, slots)).toBe("");
});

test("a slot that somebody makes long after our making was cut off is theirs", async () => {
  await agent.ledger.put("slot:slot_n2", {
    operationId: agent.operationId,
    at: Date.now() - 600_000,
    facts: { forNode: "n2", reserve: true, walBudgetBytes: 1e9 },
  });
  await lab.sql(lab.n1.port, "SELECT pg_create_physical_replication_slot('slot_n2', true)");
  await expect(runStep(createSlot, reserved, agent)).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
  });
  await createSlot.undo(reserved, agent);
  expect(await lab.sql(lab.n1.port, slots)).toBe("slot_n2");
  expect(await agent.ledger.get("slot:slot_n2")).toBeNull();
  await lab.sql(lab.n1.port, "SELECT pg_drop_replication_slot('slot_n2')");
});

test("undo ends the walsender that holds our slot and drops it", async () => {
  await runStep(createSlot, reserved, agent);
  const receiver = execa(
    `${binDirectory}/pg_receivewal`,
    [
      "-h",
      "127.0.0.1",
      "-p",
      String(lab.n1.port),
      "-U",
      "postgres",
      "-S",
      "slot_n2",
      "-D",
      lab.folder,
    ],
    {
      env: { PGPASSFILE: join(lab.folder, "pgpass") },
      reject: false,
    },
  );
  const active = "SELECT active FROM pg_replication_slots";
  await waitFor(async () => (await lab.sql(lab.n1.port, active)) === "t", { what: "the receiver" });
  await createSlot.undo(reserved, agent);
  expect(await lab.sql(lab.n1.port, slots)).toBe("");
  receiver.kill();
  await receiver;
});

test("a slot that somebody makes in the same moment is theirs, for the next attempt and for undo too", async () => {
  const own = {
    versionNumber: agent.databases.own.versionNumber,
    query: async (sql: string, parameters?: readonly unknown[]) => {
      if (sql.includes("pg_create_physical_replication_slot")) {
        await lab.sql(lab.n1.port, "SELECT pg_create_physical_replication_slot('slot_n2')");
      }
      return agent.databases.own.query(sql, parameters);
    },
  };
  const raced = { ...agent, databases: { ...agent.databases, own } };
  await expect(createSlot.apply(reserved, raced)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  await expect(runStep(createSlot, reserved, agent)).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
  });
  await createSlot.undo(reserved, agent);
  expect(await lab.sql(lab.n1.port, slots)).toBe("slot_n2");
  await lab.sql(lab.n1.port, "SELECT pg_drop_replication_slot('slot_n2')");
});

test("a slot of that name made after the WAL budget dropped ours is not ours", async () => {
  await runStep(createSlot, reserved, agent);
  await lab.sql(lab.n1.port, "SELECT pg_drop_replication_slot('slot_n2')");
  const entry = await agent.ledger.get("slot:slot_n2");
  const facts = { ...entry?.facts, droppedForBudgetAt: 1 };
  await agent.ledger.put("slot:slot_n2", { operationId: "op-abcdefgh", at: 1, facts });
  await lab.sql(lab.n1.port, "SELECT pg_create_physical_replication_slot('slot_n2')");
  await createSlot.undo(reserved, agent);
  expect(await lab.sql(lab.n1.port, slots)).toBe("slot_n2");
  expect(await agent.ledger.get("slot:slot_n2")).toBeNull();
  await lab.sql(lab.n1.port, "SELECT pg_drop_replication_slot('slot_n2')");
});

test("a slot of a server that is down is gone when its directory is, and only then", async () => {
  await using down = await lab.agent("n2");
  const note = (inOwnDirectory: boolean) =>
    down.ledger.put("slot:slot_n2", {
      operationId: down.operationId,
      at: 1,
      facts: { forNode: "n1", reserve: false, walBudgetBytes: null, inOwnDirectory },
    });
  const refuses = async () => {
    await expect(createSlot.undo(reserved, down)).rejects.toMatchObject({
      code: "DATABASE_UNREACHABLE",
    });
    expect(await down.ledger.get("slot:slot_n2")).not.toBeNull();
  };
  const finds = async () => {
    expect((await createSlot.undo(reserved, down)).lines.join()).toContain("gone");
    expect(await down.ledger.get("slot:slot_n2")).toBeNull();
  };
  const { dataDirectory } = down.settings.paths;
  const ofSlots = join(dataDirectory, "pg_replslot");
  await mkdir(join(ofSlots, "slot_n2"), { recursive: true });
  await note(true);
  await refuses();
  await rm(join(ofSlots, "slot_n2"), { recursive: true });
  await finds();

  await rm(dataDirectory, { recursive: true });
  // What was taken back meanwhile took the whole server with it.
  await note(true);
  await finds();
  // Its disk may not be mounted.
  await note(false);
  await refuses();
});

test("an undo ends the copy that went through its slot, though its client hears nothing any more, and nobody else's", async () => {
  await runStep(createSlot, reserved, agent);
  const copying =
    "SELECT coalesce(string_agg(a.query, ';'), '') FROM pg_stat_replication r JOIN pg_stat_activity a USING (pid) WHERE r.state = 'backup'";
  await using ours = await beginCopy("ours", `castellan ${agent.operationId}`, ["-S", "slot_n2"]);
  await using _theirs = await beginCopy("theirs", "castellan op-someoneelse");
  await waitFor(async () => (await lab.sql(lab.n1.port, copying)).includes(";"), {
    what: "two copies",
  });
  // As behind a cut link: the server is told nothing of its client.
  ours.signal("SIGSTOP");
  const { lines } = await createSlot.undo(reserved, agent);
  expect(lines.join("\n")).toContain("its copy was still sent from here: ended");
  await waitFor(async () => !(await lab.sql(lab.n1.port, copying)).includes(agent.operationId), {
    what: "the end of our copy",
  });
  expect(await lab.sql(lab.n1.port, copying)).toContain("op-someoneelse");
});

/** So slow that it lasts until it is ended. */
async function beginCopy(name: string, label: string, more: readonly string[] = []) {
  const directory = join(lab.folder, `copy-${name}`);
  const where = ["-h", "127.0.0.1", "-p", String(lab.n1.port), "-U", "postgres", "-D", directory];
  const how = ["-X", "stream", "-c", "fast", "-l", label, "-r", "32k", ...more];
  const copy = execa(`${binDirectory}/pg_basebackup`, [...where, ...how], {
    env: { PGPASSFILE: join(lab.folder, "pgpass") },
    detached: true,
    reject: false,
    stdio: "ignore",
  });
  const signal = (which: NodeJS.Signals): void => {
    if (copy.pid !== undefined) process.kill(-copy.pid, which);
  };
  return {
    signal,
    [Symbol.asyncDispose]: async () => {
      if (copy.exitCode === null) signal("SIGKILL");
      await copy;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
