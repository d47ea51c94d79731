import { describe, expect, test } from "vitest";
import { Tally } from "#test/harness/load-generator/tally.ts";

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("the tally of a load", () => {
  test("acknowledged keys are told as unbroken runs, a failed one leaves a gap", () => {
    const tally = new Tally();
    for (const key of [1, 2, 3, 5, 6, 1_000_000_001, 7]) tally.acknowledged(key);
    const { acknowledged, acknowledgedCount } = tally.since(0);
    expect(acknowledged).toEqual([
      [1, 3],
      [5, 7],
      [1_000_000_001, 1_000_000_001],
    ]);
    expect(acknowledgedCount).toBe(7);
  });

  test("a failure counts once, is passed on, and is no answered statement", async () => {
    const tally = new Tally();
    const failing = tally.timed("reader0", "statement", () => Promise.reject(new Error("gone")));
    await expect(failing).rejects.toThrow("gone");
    await expect(
      tally.timed("fresh", "fresh", () => Promise.reject(new Error("refused"))),
    ).rejects.toThrow("refused");
    const stats = tally.since(0);
    expect(stats).toMatchObject({
      statements: 0,
      clientErrors: 2,
      freshFailed: 1,
      sessionsLost: 0,
      lossesOfOneSession: 0,
    });
    expect(stats.errors.map(({ client, message }) => [client, message])).toEqual([
      ["reader0", "gone"],
      ["fresh", "refused"],
    ]);
  });

  test("a statement that still waits for its answer is the longest stall", async () => {
    const tally = new Tally();
    await tally.timed("reader0", "statement", () => Promise.resolve());
    const hanging = tally.timed("reader1", "statement", () => after(120));
    await after(60);
    const { latency } = tally.since(0);
    expect(latency.count).toBe(1);
    expect(latency.maxMs).toBeGreaterThanOrEqual(50);
    await hanging;
    expect(tally.since(0).latency.count).toBe(2);
  });

  test("figures since a moment leave out what was before it, but not the acknowledged keys", async () => {
    const tally = new Tally();
    await tally.timed("writer0", "statement", () => Promise.resolve());
    tally.acknowledged(1);
    tally.answeredBy("192.168.4.127");
    tally.sessionLost("reader0");
    await after(5);
    const since = Date.now();
    await tally.timed("writer0", "statement", () => Promise.resolve());
    tally.answeredBy("192.168.4.129");
    const stats = tally.since(since);
    expect(stats).toMatchObject({ statements: 1, sessionsLost: 0, acknowledgedCount: 1 });
    expect(stats.readsByServer).toEqual({ "192.168.4.129": 1 });
  });
});
