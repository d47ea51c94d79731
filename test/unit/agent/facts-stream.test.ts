import { expect, test } from "vitest";
import { createFactsStream } from "#agent/facts-stream.ts";
import { fitFacts } from "#agent/fit-message.ts";
import type { FileFacts, NodeFacts } from "#shared/domain/facts.ts";
import { AgentMessage } from "#shared/protocol/messages.ts";
import { someFacts } from "#test/unit/some-facts.ts";

const file = (path: string, bytes: number): FileFacts => ({
  path,
  format: "hba",
  state: "present",
  hash: "00",
  owner: "postgres",
  mode: 0o600,
  modifiedAt: 1,
  maskedText: "x".repeat(bytes),
});

test("the first facts go whole, later ones only with what changed, on top of what was sent", () => {
  const stream = createFactsStream();
  const first: NodeFacts = someFacts();
  expect(stream.next(first)).toMatchObject({ type: "facts", version: 1 });
  expect(stream.next(structuredClone(first))).toBeNull();
  const pool = {
    ...first,
    guard: { ...first.guard, checks: [] },
    agent: { ...first.agent, version: "2" },
  };
  const delta = stream.next(pool);
  expect(delta).toMatchObject({ type: "facts-changed", base: 1, version: 2 });
  expect(delta?.type === "facts-changed" && Object.keys(delta.sections)).toEqual(["agent"]);
  expect(stream.next(pool)).toBeNull();
});

test("the clock alone is no news, but it travels with other news of the host", () => {
  const stream = createFactsStream();
  const first = someFacts();
  stream.next(first);
  const later = { ...first, host: { ...first.host, clockMs: first.host.clockMs + 5_000 } };
  expect(stream.next(later)).toBeNull();
  const renamed = { ...later, host: { ...later.host, hostname: "other" } };
  expect(stream.next(renamed)).toMatchObject({
    base: 1,
    sections: { host: { hostname: "other", clockMs: first.host.clockMs + 5_000 } },
  });
});

test("after a new connection the whole goes again, with a higher version", () => {
  const stream = createFactsStream();
  stream.next(someFacts());
  stream.forget();
  expect(stream.next(someFacts())).toMatchObject({ type: "facts", version: 2 });
});

test("what the stream makes is what the protocol takes", () => {
  const stream = createFactsStream();
  const first = someFacts();
  expect(AgentMessage.safeParse(stream.next(first)).success).toBe(true);
  const pool = { ...first, pool: null, files: [file("/a", 1)] };
  expect(AgentMessage.safeParse(stream.next(pool)).success).toBe(true);
});

test("facts too large for a message lose the largest texts first, and keep the hashes", () => {
  const facts = someFacts({
    files: [file("/small", 100), file("/large", 5_000), file("/middle", 2_000)],
  });
  const message = createFactsStream().whole(facts);
  const whole = fitFacts(message, 1_000_000);
  expect(whole?.leftOut).toEqual([]);
  const size = Buffer.byteLength(whole?.text ?? "");
  expect(fitFacts(message, size - 1)?.leftOut).toEqual(["/large"]);
  const fitted = fitFacts(message, size - 5_500);
  expect(fitted?.leftOut).toEqual(["/large", "/middle"]);
  expect(Buffer.byteLength(fitted?.text ?? "")).toBeLessThanOrEqual(size - 5_500);
  expect(fitted?.text).toContain('"path":"/large","format":"hba","state":"present","hash":"00"');
  expect(fitFacts(message, 100)).toBeNull();
});
