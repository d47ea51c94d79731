import { beforeEach, expect, test } from "vitest";
import { programClock } from "#test/harness/faults/clock.ts";
import { delayConnections } from "#test/harness/faults/delay-proxy.ts";
import {
  cutLink,
  loseIncoming,
  loseTraffic,
  narrowLink,
  rejectPort,
  resetConnections,
} from "#test/harness/faults/network.ts";
import type { Host, HostProcess } from "#test/harness/host.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** The faults of the harness themselves: each really bites, and is gone when it is healed. */
let near: Host;
let far: Host;

beforeEach(async () => {
  const lab = await testLab({
    hosts: [
      { name: "near", address: "192.168.4.11" },
      { name: "far", address: "192.168.4.12" },
    ],
  });
  near = lab.host("near");
  far = lab.host("far");
});

test("one direction, both, or one port alone is lost without a word, and comes through when it is healed", async () => {
  const [one, two] = [await talk(7001), await talk(7002)];
  {
    await using _lost = await loseIncoming(far, { of: near, port: 7001 });
    one.tell("near", "swallowed");
    two.tell("near", "other port");
    one.tell("far", "still heard");
    await two.heard("far", "other port");
    await one.heard("near", "still heard");
    expect(one.said("far")).toBe("");
  }
  await one.heard("far", "swallowed");
  {
    await using _lost = await loseTraffic(far, { of: near });
    one.tell("far", "silence");
    two.tell("near", "silence");
    expect(await connects(near, far, 7001)).toBe("no answer");
    expect(one.said("near") + two.said("far")).not.toContain("silence");
  }
  await one.heard("near", "silence");
  await two.heard("far", "silence");
  const cut = await cutLink(far);
  expect(await connects(near, far, 7001)).toBe("no answer");
  await cut.heal();
  expect(await connects(near, far, 7001)).toBe("open");
});

test("established connections are reset at both ends, and a rejected port resets new ones", async () => {
  const line = await talk(7001);
  expect(await resetConnections(far, 7001)).toBe(1);
  await line.heard("near", "ECONNRESET");
  await line.heard("far", "ECONNABORTED");
  {
    await using _rejected = await rejectPort(far, 7001);
    expect(await connects(near, far, 7001)).toBe("ECONNREFUSED");
  }
  expect(await connects(near, far, 7001)).toBe("open");
});

test("a narrow link takes no more than its rate, and a slow path hands everything on late", async () => {
  const bytes = "x".repeat(250_000);
  const line = await talk(7001);
  {
    await using _narrow = await narrowLink(far, 1_000);
    const startedAt = performance.now();
    line.tell("near", bytes);
    await line.heard("far", bytes);
    // 2 Mbit at 1 Mbit/s, less what a burst may be.
    expect(performance.now() - startedAt).toBeGreaterThan(1_000);
  }
  await using slow = await delayConnections(near, {
    to: { address: far.address, port: 7002 },
    delayMs: 300,
  });
  const late = await talk(7002, "postgres");
  const startedAt = performance.now();
  late.tell("near", "there");
  await late.heard("far", "there");
  late.tell("far", "and back");
  await late.heard("near", "and back");
  expect(performance.now() - startedAt).toBeGreaterThan(600);
  await slow.heal();
  await late.heard("near", "ended");
});

test("a program's time of day is set while its monotonic clock runs on", async () => {
  const clock = await programClock(near, 600);
  const show = "setInterval(() => console.log(Date.now() / 1e3, performance.now() / 1e3), 20)";
  const process = await near.spawn([near.nodePath, "-e", show], { env: clock.env });
  let last: readonly number[] = [];
  process.stdout?.on("data", (chunk: Buffer) => {
    last = (chunk.toString("utf8").trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  });
  const isOff = (seconds: number) => () =>
    Math.abs((last[0] ?? 0) - Date.now() / 1_000 - seconds) < 30;
  await waitFor(isOff(600));
  clock.set(-86_400);
  await waitFor(isOff(-86_400));
  expect(last[1]).toBeGreaterThan(0);
  expect(last[1]).toBeLessThan(120);
  process.kill("SIGKILL");
  await process.exited;
});

type Line = {
  tell(end: "near" | "far", text: string): void;
  said(end: "near" | "far"): string;
  heard(end: "near" | "far", text: string): Promise<void>;
};

/** A connection from near to far: what is told to one end is what the other one has heard. */
async function talk(port: number, user = "root"): Promise<Line> {
  const end = `process.stdin.pipe(s); s.pipe(process.stdout, { end: false });
    s.on("error", (e) => console.log(e.code)); s.on("close", () => console.log("ended"))`;
  const serve = `require("net").createServer((s) => { ${end} }).listen(${port}, () => console.log("up"))`;
  const call = `const s = require("net").connect(${port}, "${far.address}", () => console.log("up")); ${end}`;
  const heard = new Map<string, string>();
  const listen = async (name: string, host: Host, code: string, as: string) => {
    const process = await host.spawn([host.nodePath, "-e", code], { user: as });
    process.stdout?.on("data", (chunk: Buffer) => {
      heard.set(name, (heard.get(name) ?? "") + chunk.toString("utf8"));
    });
    await waitFor(() => heard.get(name)?.startsWith("up\n"), { what: `${name} to be up` });
    return process;
  };
  const ends: Record<string, HostProcess> = {
    far: await listen("far", far, serve, "root"),
    near: await listen("near", near, call, user),
  };
  const said = (name: string): string => (heard.get(name) ?? "").slice("up\n".length);
  return {
    tell: (name, text) => void ends[name]?.stdin?.write(text),
    said,
    heard: async (name, text) => {
      await waitFor(() => said(name).includes(text), {
        timeoutMs: 20_000,
        what: `${name} to hear ${text.slice(0, 20)}`,
      });
    },
  };
}

async function connects(from: Host, to: Host, port: number): Promise<string> {
  const code = `const s = require("net").connect(${port}, "${to.address}");
    const say = (what) => { console.log(what); process.exit(); };
    s.on("connect", () => say("open")); s.on("error", (e) => say(e.code)); setTimeout(say, 700, "no answer")`;
  return (await from.exec([from.nodePath, "-e", code])).stdout.trim();
}
