import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createRenewedReservations } from "#coordinator/operations/renewed-reservations.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function step() {
  const told: string[] = [];
  const reservations = createRenewedReservations("op-a", (node, { classes, forMs }) => {
    told.push(`${node} ${classes.join(",")} ${forMs}`);
  });
  return { reservations, take: () => told.splice(0) };
}

test("a step reserves on each node what its commands touch, renews it before it runs out, and gives it back", () => {
  const { reservations, take } = step();
  reservations.add("srv127", ["pool", "pool-row"]);
  reservations.add("srv129", ["disk"]);
  reservations.add("srv159", []);
  expect(take()).toEqual(["srv127 pool,pool-row 15000", "srv129 disk 15000"]);
  vi.advanceTimersByTime(5_000);
  expect(take()).toEqual(["srv127 pool,pool-row 15000", "srv129 disk 15000"]);
  reservations.end(true);
  expect(take()).toEqual(["srv127 pool,pool-row 0", "srv129 disk 0"]);
  vi.advanceTimersByTime(60_000);
  expect(take()).toEqual([]);
});

test("of a step that is tried again, or whose coordinator stops, it only runs out", () => {
  const { reservations, take } = step();
  reservations.add("srv159", ["database", "role"]);
  reservations.end(false);
  vi.advanceTimersByTime(60_000);
  expect(take()).toEqual(["srv159 database,role 15000"]);
});
