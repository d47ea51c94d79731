import { afterAll, beforeAll, expect, test } from "vitest";
import type { StepContext } from "#agent/ports.ts";
import { ledgerKey } from "#agent/steps/ledger-keys.ts";
import { rejoin } from "#agent/steps/rejoin.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "#test/integration/agent-guard/guard-bed.ts";
import { runStep } from "./run-step.ts";

let bed: GuardBed;
beforeAll(async () => {
  bed = await createGuardBed({ product: "postgresql" }, 76);
});
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

const agent = async (node: string): Promise<StepContext> => {
  const host = await bed.host(node);
  const asked = { operationId: "op-abcdefgh", stepId: "test", progress: () => undefined };
  return { ...host, ...asked, guardView: () => host.view };
};
const newPrimary = () => {
  const { address: host, port } = bed.cluster.node("srv129");
  return { node: "srv129", host, port };
};

test("a primary that runs, and a standby that streams, are not rewound", async () => {
  await bed.promote("srv129");
  await expect(runStep(rejoin, newPrimary(), await agent("srv127"))).rejects.toThrow("a primary runs here"); // prettier-ignore
  await expect(runStep(rejoin, newPrimary(), await agent("srv159"))).rejects.toThrow("this standby streams"); // prettier-ignore
  expect(await bed.upstreamOf("srv159")).toBe("streams from srv127");
});

test("a standby that runs and went another way, and the former primary, follow; their files were what stood there before", async () => {
  await bed.cluster.sql("srv127", "CREATE TABLE astray AS SELECT 1 AS id");
  await waitFor(
    async () => (await bed.cluster.sql("srv159", "SELECT to_regclass('astray') AS t"))[0]?.["t"] !== null, // prettier-ignore
    { what: "the row that the new primary has not" },
  );
  await bed.cluster.stop("srv127");
  await waitFor(async () => (await bed.upstreamOf("srv159")) === "does not stream");
  for (const node of ["srv159", "srv127"]) {
    const one = await agent(node);
    const { autoConf } = one.product.files;
    const path = `${one.settings.paths.dataDirectory}/${autoConf}`;
    const before = (await one.files.read(path))?.hash;
    await one.ledger.put(ledgerKey.edited("test", path), { operationId: "op-abcdefgh", at: 1, facts: { from: null, hash: null } }); // prettier-ignore
    await rejoin.undo(newPrimary(), one);
    expect(await one.ledger.list(ledgerKey.edited("test", ""))).toEqual([]);
    const { files } = await runStep(rejoin, newPrimary(), one);
    expect(files.find((file) => file.path === path)?.from).toBe(before);
    expect(await bed.upstreamOf(node)).toBe("streams from srv129");
    expect(await runStep(rejoin, newPrimary(), one)).toMatchObject({ alreadyDone: true });
    await expect(rejoin.undo(newPrimary(), one)).rejects.toMatchObject({ code: "PAST_RETURN" });
    // As an agent leaves it that is killed when the server streams already.
    const cutOff = { stage: "rewound", mode: 0o700, files: [], slots: [] };
    const key = ledgerKey.rejoin(one.settings.paths.dataDirectory);
    await one.ledger.put(key, { operationId: "op-abcdefgh", at: 1, facts: cutOff });
    await runStep(rejoin, newPrimary(), one);
    expect(await one.ledger.get(key)).toBeNull();
    await waitFor(
      async () => (await bed.cluster.sql(node, "SELECT to_regclass('astray') AS t"))[0]?.["t"] === null, // prettier-ignore
      { what: "the row of its own to be gone" },
    );
  }
});
