import { expect, test } from "vitest";
import { createReservations } from "#agent/guard/reservations.ts";

function reserved() {
  const time = { ms: 0 };
  const reservations = createReservations({ elapsedMs: () => time.ms });
  const held = () => reservations.current().map(({ class: touches, by }) => `${touches} ${by}`);
  return { time, reservations, held };
}

test("what an operation reserves lasts as long as it is told again, and a step that ends gives its own back", () => {
  const { time, reservations, held } = reserved();
  reservations.take("op-a", ["database", "role"], 15_000);
  time.ms = 10_000;
  reservations.take("op-a", ["role"], 15_000);
  time.ms = 15_000;
  expect(held()).toEqual(["role op-a"]);
  reservations.take("op-b", ["role"], 15_000);
  reservations.take("op-a", ["role"], 0);
  expect(held()).toEqual(["role op-b"]);
  time.ms = 30_000;
  expect(held()).toEqual([]);
});

test("what a command of this agent is at is held however long it takes, and by each of two", () => {
  const { time, reservations, held } = reserved();
  const first = reservations.hold("base-backup of op-a", ["database"]);
  const second = reservations.hold("start-database of op-a", ["database"]);
  time.ms = 86_400_000;
  first[Symbol.dispose]();
  expect(held()).toEqual(["database start-database of op-a"]);
  second[Symbol.dispose]();
  expect(held()).toEqual([]);
});
