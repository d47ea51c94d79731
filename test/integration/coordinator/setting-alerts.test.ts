import { expect, test } from "vitest";
import type { FileSetting } from "#shared/domain/facts.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { done } from "./scripted-agent.ts";
import { settled } from "./settled.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { slotStep, someOperation, somePlan } from "./some-plan.ts";
import { startTestCoordinator } from "./test-coordinator.ts";

const waiting: FileSetting = {
  name: "max_connections",
  file: "/data/postgresql.conf",
  line: 7,
  inFile: "200",
  inForce: "100",
  state: "waits-for-restart",
};
const cause = "node:srv127:setting:max_connections";

function factsWith(...fileSettings: FileSetting[]) {
  const some = someFacts();
  return { ...some, database: { ...some.database, fileSettings } };
}

async function startLab() {
  const coordinator = await startTestCoordinator();
  const { store, fleet } = coordinator.core.ports;
  const agent = coordinator.agent("srv127", { facts: factsWith() });
  await waitFor(() => agent.isWelcome);
  const tell = async (...settings: FileSetting[]): Promise<void> => {
    agent.facts = factsWith(...settings);
    await fleet.observe(["srv127"]);
  };
  const mine = () => store.alerts({ open: true }).filter((alert) => alert.cause === cause);
  return { ...coordinator, store, told: agent, tell, mine };
}

test("a setting that waits is an alert of its own, told once, over when it is in force", async () => {
  await using lab = await startLab();
  await lab.tell(waiting);
  await lab.tell(waiting);
  expect(lab.mine()).toMatchObject([
    { severity: "warning", file: waiting.file, line: 7, node: "srv127", count: 1, state: "open" },
  ]);
  expect(lab.mine()[0]?.summary).toContain("max_connections waits for a restart");
  await lab.tell({ ...waiting, inFile: "300" });
  expect(lab.mine()[0]?.detail).toContain("300");
  await lab.tell();
  expect(lab.mine()).toEqual([]);
});

test("a line that the server refuses is critical; one that another file overrules is no alert", async () => {
  await using lab = await startLab();
  await lab.tell({ ...waiting, state: "overruled" });
  expect(lab.mine()).toEqual([]);
  await lab.tell({ ...waiting, state: "broken" });
  expect(lab.mine()).toMatchObject([{ severity: "critical" }]);
});

test("what an operation has just written is no alert before it has ended", async () => {
  await using lab = await startLab();
  lab.told.script = () => null;
  const { id } = lab.core.runner.start(someOperation(somePlan(slotStep("srv127"))));
  await waitFor(() => lab.told.commands.length === 1);
  await lab.tell(waiting);
  expect(lab.mine()).toEqual([]);
  lab.told.end(`${id}/0/run/1`, done());
  await settled(lab, id, "succeeded");
  await lab.tell(waiting);
  expect(lab.mine()).toHaveLength(1);
});
