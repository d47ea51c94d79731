import { expect, test } from "vitest";
import { standingAlerts } from "#coordinator/operations/add-node/standing-alerts.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { addNode } from "#coordinator/operations/add-node/request.ts";
import { createWorld } from "../world.ts";
import { createFakePorts } from "../fake-ports.ts";

async function operation(ssh: boolean): Promise<OperationRecord> {
  const world = createWorld({ product: "kingbase-v8r3", pool: true, vendorInCharge: true });
  const ports = createFakePorts(world);
  const closed = { host: "192.168.4.159", user: "root", ok: ssh, message: "refused" };
  ports.answer = (node, kind) =>
    kind === "probe-reach" && node !== "srv159"
      ? { tcp: [{ host: "192.168.4.159", port: 54_321, answer: "refused" }], ssh: [closed] }
      : undefined;
  const answer = await addNode(ports, ports.start, "ESHA", {
    ...world.request,
    acceptNotPromotable: true,
  });
  if (answer.operation === null) throw new Error("nothing was started");
  return answer.operation;
}

test("a node that was accepted as not promotable keeps an alert once it is added", async () => {
  const running = await operation(false);
  expect(standingAlerts(running)).toEqual([]);
  expect(standingAlerts({ ...running, state: "rolled-back" })).toEqual([]);
  const [alert, ...others] = standingAlerts({ ...running, state: "succeeded" });
  expect(others).toEqual([]);
  expect(alert).toMatchObject({
    cause: "not-promotable:srv159",
    node: "srv159",
    severity: "warning",
  });
  expect(alert?.detail).toContain("second primary");
});

test("where ssh works there is nothing to remember, whatever was accepted", async () => {
  expect(standingAlerts({ ...(await operation(true)), state: "succeeded" })).toEqual([]);
});
