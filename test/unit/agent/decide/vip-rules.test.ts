import { expect, test } from "vitest";
import { vipRules } from "#agent/decide/rules/vip-rules.ts";
import { emptyMemory, type GuardView } from "#agent/decide/view.ts";
import { peer, primary, threeNodes, view } from "./view-builder.ts";

const own = { nic: "eth0", address: "192.168.4.127", prefix: 24, family: "ipv4" } as const;
const vip = { ...own, address: "192.168.4.200" };
const verbs = ["vip-add", "vip-drop"];
const standbys = [peer("srv129"), peer("srv159")];

function seen(
  database: Parameters<typeof primary>[0],
  more: Parameters<typeof view>[1] = {},
  rootHelperVerbs: string[] = verbs,
): GuardView {
  return view(primary(database), {
    cluster: threeNodes(),
    peers: standbys,
    addresses: [own],
    rootHelperVerbs,
    ...more,
  });
}

/** By rule: what was seen, and what is done about it. */
function judge(one: GuardView): Readonly<Record<string, readonly [string, readonly string[]]>> {
  return Object.fromEntries(
    vipRules.flatMap(({ id, when, steps }) => {
      const evidence = when(one, emptyMemory, 0);
      return evidence === null ? [] : [[id, [evidence, (steps?.(one, emptyMemory) ?? []).map((step) => step.do)]]]; // prettier-ignore
    }),
  );
}

function missing(one: GuardView): string | undefined {
  return vipRules.flatMap((rule) => rule.nearly?.(one, emptyMemory) ?? [])[0]?.missing;
}

test("on the primary it is where it belongs, and a cluster without one has nothing to lose", () => {
  expect(judge(seen({}, { addresses: [own, vip] }))).toEqual({});
  const none = threeNodes({ virtualAddresses: { database: null, pool: null } });
  expect(judge(seen({}, { cluster: none }))).toEqual({});
  expect(judge(seen({}, { cluster: null }))).toEqual({});
});

test("a node whose database is stopped or in recovery gives it away at the first look", () => {
  const here = { addresses: [own, vip] };
  expect(judge(seen({ role: "standby" }, here))).toEqual({
    "vip-on-non-primary": [
      "192.168.4.200 is on eth0, and the database is in recovery",
      ["drop-vip"],
    ],
  });
  expect(judge(seen({ status: "stopped", role: null }, here))).toMatchObject({
    "vip-on-non-primary": [expect.stringContaining("is stopped"), ["drop-vip"]],
  });
  expect(judge(seen({ status: "absent", role: null }, here))).toHaveProperty("vip-on-non-primary");
  expect(vipRules.find(({ id }) => id === "vip-on-non-primary")).toMatchObject({ looks: 1 });
});

test("a server that lives and gives no session may be the primary: it keeps it", () => {
  const one = seen({ status: "unreachable", role: null }, { addresses: [own, vip] });
  expect(judge(one)).toEqual({});
});

test("a primary without it takes it when every other node is known to be none", () => {
  expect(judge(seen({}))).toEqual({
    "vip-missing-on-primary": [
      "192.168.4.200 is not on this host, whose database is the primary",
      ["add-vip"],
    ],
  });
  const refused = [peer("srv129", { database: "refused", timeline: null }), peer("srv159")];
  expect(judge(seen({}, { peers: refused }))).toHaveProperty("vip-missing-on-primary");
});

test("of three nodes one may be silent, and is asked by the probe; two are no majority", () => {
  const silent = { database: "silent", timeline: null, position: null } as const;
  const one = [peer("srv129"), peer("srv159", silent)];
  expect(judge(seen({}, { peers: one }))).toHaveProperty("vip-missing-on-primary");
  const both = seen({}, { peers: [peer("srv129", silent), peer("srv159", silent)] });
  expect(judge(both)).toEqual({});
  expect(missing(both)).toBe("only 1 of 3 nodes are known to be no primary, this one included");
  expect(judge(seen({}, { peers: [] }))).toEqual({});
  const locked = [peer("srv129", { ...silent, database: "login-failed" }), peer("srv159", silent)];
  expect(judge(seen({}, { peers: locked }))).toEqual({});
});

test("of two primaries, or behind a node on a later timeline, none takes it", () => {
  const two = seen({}, { peers: [peer("srv129", { database: "primary" }), peer("srv159")] });
  expect(judge(two)).toEqual({});
  expect(missing(two)).toBe("srv129 is a primary as well");
  const later = seen({}, { peers: [peer("srv129", { timeline: 2 }), peer("srv159")] });
  expect(judge(later)).toEqual({});
  expect(missing(later)).toBe("srv129 is on timeline 2");
});

test("a host that has not the address that is declared for its node never takes it", () => {
  const copied = seen({}, { addresses: [{ ...own, address: "192.168.4.160" }] });
  expect(judge(copied)).toEqual({});
  expect(missing(copied)).toBe("its declared address 192.168.4.127 is not on this host");
});

test("without the helper's verbs it is told, and nothing is tried", () => {
  expect(judge(seen({}, {}, []))).toMatchObject({ "vip-missing-on-primary": [expect.any(String), []] }); // prettier-ignore
});

test("an interface that is gone is named, with those that are there", () => {
  const elsewhere = { ...own, nic: "ens33" };
  expect(judge(seen({}, { addresses: [elsewhere, { ...vip, nic: "ens33" }] }))).toEqual({
    "nic-gone": ["eth0 is gone, or without an address; there are: ens33", []],
  });
});

test("a server that gives no session gives it away once another one is the primary on a later timeline", () => {
  const here = { addresses: [own, vip] };
  const hung = (timeline: number) =>
    seen({ status: "unreachable" }, { ...here, peers: [peer("srv129", { database: "primary", timeline }), peer("srv159")] }); // prettier-ignore
  expect(judge(hung(2))).toMatchObject({
    "vip-on-non-primary": [expect.stringContaining("srv129"), ["drop-vip"]],
  });
  expect(judge(hung(1))).toEqual({});
});
