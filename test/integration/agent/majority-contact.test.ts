import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMajorityContact } from "#agent/guard/majority-contact.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { peer, primary, threeNodes, view } from "#test/unit/agent/decide/view-builder.ts";

let folder: string;
let uptimeMs: number;
const uptime = (): number => uptimeMs;
const reached = view(primary(), {
  cluster: threeNodes(),
  peers: ["srv129", "srv159"].map((node) => peer(node)),
});
const cutOff = { ...reached, peers: [], coordinatorConnected: false };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "castellan-contact-"));
  uptimeMs = 1_000_000;
});
afterEach(() => rm(folder, { recursive: true }));

async function untilWritten(): Promise<void> {
  await waitFor(async () => (await readdir(folder)).length > 0, { what: "the contact on disk" });
}

test("an agent that is killed and started again goes on counting from the majority that it reached last", async () => {
  const killed = await openMajorityContact(folder, uptime);
  killed.attend(reached, true);
  await untilWritten();
  uptimeMs += 7_000;
  killed.attend(cutOff, true);
  expect(killed.agoMs()).toBe(7_000);
  uptimeMs += 2_000;
  const next = await openMajorityContact(folder, uptime);
  expect(next.agoMs()).toBe(9_000);
  next.attend(reached, true);
  expect(next.agoMs()).toBe(0);
});

test("one that ended in good order, that promised nothing, or that another boot has seen begins anew", async () => {
  const ended = await openMajorityContact(folder, uptime);
  ended.attend(reached, true);
  await untilWritten();
  await ended[Symbol.asyncDispose]();
  expect(await readdir(folder)).toEqual([]);

  const unarmed = await openMajorityContact(folder, uptime);
  unarmed.attend(reached, false);
  uptimeMs += 60_000;
  expect((await openMajorityContact(folder, uptime)).agoMs()).toBe(0);

  for (const text of [JSON.stringify({ bootId: "an earlier one", uptimeMs: 5 }), "torn {"]) {
    await writeFile(join(folder, "majority-contact.json"), text);
    expect((await openMajorityContact(folder, uptime)).agoMs()).toBe(0);
  }
});
