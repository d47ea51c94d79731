import { expect, test } from "vitest";
import { sudoersText } from "#agent/root-helper/install.ts";
import { isVerb, offeredVerbs, verbNames } from "#agent/root-helper/verb-names.ts";

const pool = {
  pidFile: "/run/pool.pid",
  program: "/usr/sbin/pgpool",
  ports: [9999],
  start: null,
};
const bare = {
  user: "postgres",
  pool: null,
  cron: null,
  vip: null,
  stateDirectory: "/var/lib/castellan-root",
};

test("a host offers what its settings give a meaning to", () => {
  expect(offeredVerbs(bare, true)).toEqual(["verbs"]);
  expect(offeredVerbs({ ...bare, pool }, true)).toEqual([
    "verbs",
    "door",
    "door-sweep",
    "pool-status",
    "pool-reload",
  ]);
});

test("a host that may carry the virtual address offers what moves it", () => {
  const vip = { address: "192.168.4.200/24", nic: "eth0", label: "eth0:2" };
  expect(offeredVerbs({ ...bare, vip }, true)).toEqual([
    "verbs",
    "vip-status",
    "vip-probe",
    "vip-add",
    "vip-drop",
  ]);
});

test("without a packet filter the door is not offered", () => {
  expect(offeredVerbs({ ...bare, pool }, false)).not.toContain("door");
});

test("names that every object has are no verbs", () => {
  expect(["toString", "constructor", "__proto__", ""].filter(isVerb)).toEqual([]);
});

test("the sudoers line names exact commands: no wildcard, no free argument, nothing of the caller's environment", () => {
  const text = sudoersText(
    "kingbase",
    "/usr/bin/node",
    "/usr/local/lib/castellan/castellan-root.mjs",
  );
  const alias = /Cmnd_Alias CASTELLAN_ROOT = (.*)/.exec(text)?.[1]?.split(", ");
  expect(alias).toEqual(
    verbNames.map((verb) => `/usr/bin/node /usr/local/lib/castellan/castellan-root.mjs ${verb}`),
  );
  expect(text).toContain("kingbase ALL=(root) NOPASSWD: NOSETENV: CASTELLAN_ROOT\n");
  expect(text).toContain("env_reset");
  expect(text).not.toMatch(/[*?[\]]/);
});

test("a path that sudoers would read in another way is refused", () => {
  expect(() => sudoersText("kingbase", "/usr/bin/no*de", "/x.mjs")).toThrow(
    /sudoers gives a meaning/,
  );
  expect(() => sudoersText("kingbase", "/usr/bin/node", "/a, /bin/sh")).toThrow();
});
