import { expect, test } from "vitest";
import type { SlotsAnswer, StatusAnswer } from "#coordinator/api/contract.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { someSlot } from "#test/unit/database-facts.ts";
import { startApiLab } from "./api-lab.ts";
import { ScriptedAgent } from "./scripted-agent.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { joinAgent } from "./test-coordinator.ts";

const dropped = {
  name: "slot_srv129",
  operationId: "op-12345678",
  forNode: "srv129",
  droppedAt: 1_700_000_000_000,
  rule: "slot-over-budget",
  reason: "it holds back 3 of 2 bytes of WAL",
  needsRebuild: true,
};

function facts(droppedSlots: NodeFacts["agent"]["droppedSlots"]): NodeFacts {
  const some = someFacts();
  const slots = [someSlot("theirs", { active: false, client: null })];
  return {
    ...some,
    agent: { ...some.agent, droppedSlots },
    database: { ...some.database, slots },
  };
}

test("a drop that nobody listened to is an alert as soon as its agent is back, shown until the node streams again", async () => {
  await using lab = await startApiLab();
  const { folder, core, client } = lab;
  using agent = new ScriptedAgent({
    port: core.agentPort,
    node: "srv127",
    certificatePem: folder.certificatePem,
    secret: joinAgent(core, "srv127"),
    facts: facts([dropped]),
  });
  const about = async (): Promise<AlertRecord[]> =>
    (await client.get<AlertRecord[]>("/alerts")).filter(({ cause }) =>
      cause.includes("slot-dropped"),
    );
  const [alert] = await waitFor(async () => {
    const found = await about();
    return found.length === 1 ? found : null;
  });
  expect(alert).toMatchObject({
    severity: "critical",
    summary: "slot slot_srv129 was dropped: srv129 needs a rebuild",
  });
  const { clusters } = await client.get<StatusAnswer>("/status");
  expect(clusters[0]?.verdict.findings).toContainEqual(
    expect.objectContaining({
      rule: "needs-rebuild",
      node: "srv129",
      next: "castellan node rebuild ESHA srv129",
    }),
  );
  const ledger = await client.get<SlotsAnswer>("/clusters/ESHA/slots");
  expect(ledger.clusters[0]?.nodes[0]?.slots).toMatchObject([
    { slot: "theirs", isOurs: false, owner: null },
    { slot: "slot_srv129", state: "dropped", owner: "srv129" },
  ]);
  await expect(client.get("/clusters/NONE/slots")).rejects.toMatchObject({ code: "NOT_FOUND" });

  // An operator who gives the node up closes it; the same facts don't open it again.
  const path = `/alerts/${alert?.id}/close`;
  const closed = await client.post<AlertRecord>(path, { requestedBy: "dba@host" });
  expect(closed).toMatchObject({ state: "resolved" });
  await core.ports.fleet.observe(["srv127"]);
  expect(await about()).toEqual([]);

  // Dropped once more: another decision. It ends when the agent says so.
  agent.facts = facts([{ ...dropped, droppedAt: dropped.droppedAt + 1 }]);
  agent.sendFacts();
  await waitFor(async () => (await about()).length === 1);
  agent.facts = facts([]);
  agent.sendFacts();
  await waitFor(async () => (await about()).length === 0);
});

test("an alert that ends by itself is not closed by hand", async () => {
  await using lab = await startApiLab();
  const { core, client } = lab;
  const { store } = core.ports;
  const common = { severity: "warning", node: "srv129", detail: "" } as const;
  const guard = { ...common, cause: "node:srv129:guard:archiver-failing", summary: "archiver" };
  const standing = { ...common, cause: "not-promotable:srv129", summary: "not promotable" };
  const { id } = store.raiseAlert(guard, 1);
  await expect(
    client.post(`/alerts/${id}/close`, { requestedBy: "dba@host" }),
  ).rejects.toMatchObject({ code: "REFUSED", hint: expect.stringContaining("castellan why") });
  await expect(
    client.post("/alerts/4711/close", { requestedBy: "dba@host" }),
  ).rejects.toMatchObject({ code: "NOT_FOUND" });
  const other = store.raiseAlert(standing, 1);
  await client.post(`/alerts/${other.id}/close`, { requestedBy: "dba@host" });
  expect(store.alerts({ open: true }).map(({ cause }) => cause)).not.toContain(standing.cause);
  expect(store.events(0, 100)).toContainEqual(
    expect.objectContaining({
      kind: "alert:closed",
      data: expect.objectContaining({ by: "dba@host", cause: standing.cause }),
    }),
  );
});
