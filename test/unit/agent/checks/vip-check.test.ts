import { expect, test } from "vitest";
import { vipCheck } from "#agent/checks/vip-check.ts";
import { joinSettings } from "#agent/join-settings.ts";
import { joinDefaults } from "#test/integration/agent/real-ports.ts";
import { threeNodes } from "#test/unit/agent/decide/view-builder.ts";
import { someFacts } from "#test/unit/some-facts.ts";

const here = { nic: "eth0", address: "192.168.4.200", prefix: 24, family: "ipv4" } as const;

/** The root helper is a stand-in: what the real one says is proved in test/e2e/guard/virtual-address.test.ts. */
function look(
  said: string,
  { addresses = [here], rootHelperVerbs = ["vip-probe"], cluster = threeNodes() } = {},
) {
  // prettier-ignore
  const asked: string[] = [];
  const check = vipCheck(
    {
      settings: joinSettings(joinDefaults),
      clusterView: { current: () => cluster, take: async () => undefined, trouble: () => null },
      rootHelper: {
        verbs: async () => [],
        run: async (verb) => {
          asked.push(verb);
          return { exitCode: 0, signal: null, stdout: `${said}\n`, stderr: [], durationMs: 1, timedOut: false }; // prettier-ignore
        },
        open: () => Promise.reject(new Error("not asked")),
      },
    },
    () => ({ ...someFacts().host, addresses, rootHelperVerbs }),
  );
  return check.run(new AbortController().signal).then((result) => ({ ...result, asked }));
}

test("where the address is the network is asked who else has it", async () => {
  expect(await look("free")).toEqual({
    severity: null,
    text: "192.168.4.200 is here, and nobody else answers for it",
    asked: ["vip-probe"],
  });
  expect(await look("taken 02:00:00:00:00:01")).toMatchObject({
    severity: "critical",
    text: "192.168.4.200 is on this host, and 02:00:00:00:00:01 answers for it as well: clients reach either of them",
  });
});

test("elsewhere, without one, and without the helper's verb nobody is asked", async () => {
  const none = threeNodes({ virtualAddresses: { database: null, pool: null } });
  for (const bed of [{ addresses: [] }, { cluster: none }, { rootHelperVerbs: [] }]) {
    expect(await look("free", bed)).toMatchObject({ severity: null, asked: [] });
  }
});
