import { expect, test } from "vitest";
import type { StatusAnswer } from "#coordinator/api/contract.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { startApiLab } from "./api-lab.ts";
import { ScriptedAgent } from "./scripted-agent.ts";
import { joinAgent } from "./test-coordinator.ts";

test("the status is pushed when an agent comes, tells and goes, over one answer", async () => {
  await using lab = await startApiLab();
  const { folder, core, client } = lab;
  const secret = joinAgent(core, "srv127");
  const end = new AbortController();
  const pushed: StatusAnswer[] = [];
  const watching = (async () => {
    for await (const status of client.watch<StatusAnswer>("/status/watch?cluster=ESHA", end.signal)) pushed.push(status); // prettier-ignore
  })();
  const isSeen = (agent: string, database: string): Promise<unknown> =>
    waitFor(() => {
      const node = pushed.at(-1)?.clusters[0]?.nodes[0];
      return node?.agent === agent && node.database === database;
    });
  await isSeen("away", "unknown");
  {
    using _agent = new ScriptedAgent({
      port: core.agentPort,
      node: "srv127",
      certificatePem: folder.certificatePem,
      secret,
      facts: someFacts(),
    });
    await isSeen("connected", "running");
  }
  await isSeen("away", "unknown");
  // Nothing is sent twice: where only ages grow, nothing is.
  const ages = ["at", "lastSeenAt", "factsAt", "lagMs"];
  const gists = pushed.map((status) => JSON.stringify(status, (key, value: unknown) => (ages.includes(key) ? 0 : value))); // prettier-ignore
  expect(gists.filter((gist, i) => gist === gists[i - 1])).toEqual([]);
  end.abort();
  await watching;
});

test.each(["/status?cluster=NONE", "/status/watch?cluster=NONE"])(
  "%s is no cluster's",
  async (path) => {
    await using lab = await startApiLab();
    await expect(lab.client.get(path)).rejects.toMatchObject({ code: "NOT_FOUND" });
  },
);
