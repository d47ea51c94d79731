import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { expect, test } from "vitest";
import { startAlerting } from "#coordinator/alerts/alerting.ts";
import { SinksSettings } from "#coordinator/alerts/sink-settings.ts";
import { openConnection } from "#coordinator/store/connection.ts";
import { createEvents } from "#coordinator/events.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import type { AlertInput, Store } from "#coordinator/store/store.ts";
import { systemClock, type Clock } from "#shared/time.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { startReceiver, type Receiver } from "./http-receiver.ts";
import { makeStateFolder, quietLog, type StateFolder } from "./test-coordinator.ts";

const drift: AlertInput = {
  cause: "node:srv127:file:/data/kingbase.conf",
  severity: "warning",
  node: "srv127",
  summary: "kingbase.conf has changed",
  detail: "-port = 1\n+port = 2\n",
};

const Message = z.object({
  id: z.string(),
  event: z.string(),
  test: z.boolean(),
  alert: z.object({ cause: z.string(), state: z.string(), detail: z.string() }),
});
const messages = ({ received }: Receiver) => received.map(({ body }) => Message.parse(JSON.parse(body))); // prettier-ignore
const brief = (receiver: Receiver) => messages(receiver).map(({ event, alert }) => `${alert.cause} ${event}`); // prettier-ignore

type Bed = AsyncDisposable & {
  readonly store: Store;
  readonly alerting: ReturnType<typeof startAlerting>;
};

/** By a clock that runs 25 times as fast: waits between attempts are short. */
const fastClock: Clock = {
  ...systemClock,
  elapsedMs: () => systemClock.elapsedMs() * 25,
  sleep: (ms, signal) => systemClock.sleep(ms / 25, signal),
};

function startBed(
  folder: StateFolder,
  sinks: readonly object[],
  { mostWaiting = 100, clock = fastClock }: { mostWaiting?: number; clock?: Clock } = {},
): Bed {
  const store = openStore({ file: join(folder.path, "journal.db"), keptEvents: 1_000, now: 0 });
  const events = createEvents(store, quietLog, clock);
  const alerting = startAlerting(
    { store, clock, log: quietLog, events, random: () => 0, mostWaiting },
    SinksSettings.parse(sinks),
  );
  return {
    store,
    alerting,
    [Symbol.asyncDispose]: async () => {
      await alerting[Symbol.asyncDispose]();
      store[Symbol.dispose]();
    },
  };
}

function secretFile(folder: StateFolder, name: string, text: string): string {
  const file = join(folder.path, name);
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return file;
}

/** Up to where the journal says that the sink was told. */
function toldRevision(folder: StateFolder): number {
  const db = openConnection(join(folder.path, "journal.db"));
  try {
    const row = db.get("SELECT told_revision FROM sink", []);
    return z.object({ told_revision: z.number() }).parse(row).told_revision;
  } finally {
    db.close();
  }
}

const standing = (store: Store) => store.alerts({ open: true }).map(({ cause }) => cause);

test("each change of an alert is posted at once and in order, signed, with an id of its own", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  const file = secretFile(folder, "secret", "hunter2");
  await using bed = startBed(folder, [{ name: "hook", kind: "webhook", url: receiver.url, secretFile: file }]); // prettier-ignore
  const { id } = bed.store.raiseAlert(drift, 10);
  await waitFor(() => receiver.received.length === 1);
  bed.store.raiseAlert(drift, 11);
  bed.store.acknowledgeAlert(id, { by: "li@a", note: null }, 12);
  await waitFor(() => receiver.received.length === 2);
  bed.store.resolveAlert(drift.cause, 13);
  await waitFor(() => receiver.received.length === 3);
  expect(messages(receiver)).toMatchObject([
    { id: "1-1-10", event: "opened", test: false, alert: { detail: drift.detail } },
    { id: "1-2-12", event: "acknowledged" },
    { id: "1-3-13", event: "resolved" },
  ]);
  const [first] = receiver.received;
  const [, at = "", sum] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(first?.headers["x-castellan-signature"])) ?? []; // prettier-ignore
  expect(createHmac("sha256", "hunter2").update(`${at}.${first?.body}`).digest("hex")).toBe(sum);
  expect(first?.headers).toMatchObject({ "x-castellan-event": "1-1-10", connection: "close" });
});

test("a sink that fails is told again, the same id, and changes that wait are one", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  receiver.answer = (response) => response.writeHead(500).end("broken");
  await using bed = startBed(folder, [{ name: "hook", kind: "webhook", url: receiver.url }]);
  bed.store.raiseAlert(drift, 1);
  await waitFor(() => receiver.received.length >= 2);
  for (let at = 2; at < 6; at += 1) bed.store.raiseAlert({ ...drift, detail: `${at}` }, at);
  bed.store.raiseAlert({ ...drift, cause: "other" }, 6);
  // That it fails is an alert, which it is not told itself.
  await waitFor(() => standing(bed.store).includes("sink:hook:lagging"));
  const failed = receiver.received.length;
  receiver.answer = (response) => response.end("{}");
  await waitFor(() => brief(receiver).includes("other opened"));
  expect(messages(receiver).slice(0, 2)).toMatchObject([{ id: "1-1-1" }, { id: "1-1-1" }]);
  expect(messages(receiver).at(-2)).toMatchObject({ event: "changed", alert: { detail: "5" } });
  expect(receiver.received.length).toBeLessThanOrEqual(failed + 3);
  await waitFor(() => !standing(bed.store).includes("sink:hook:lagging"));
  expect(brief(receiver).join()).not.toContain("lagging");
  const kinds = bed.store.events(0, 500).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind.startsWith("sink:"))).toEqual(["sink:failed", "sink:recovered"]); // prettier-ignore
});

test("a sink that hangs harms no other, and not the end of the coordinator; a restart tells again", async () => {
  using folder = await makeStateFolder();
  await using hanging = await startReceiver();
  await using good = await startReceiver();
  hanging.answer = () => undefined;
  const sinks = [
    { name: "hanging", kind: "webhook", url: hanging.url, timeoutMs: 60_000 },
    { name: "good", kind: "webhook", url: good.url },
  ];
  {
    await using bed = startBed(folder, sinks);
    bed.store.raiseAlert(drift, 1);
    bed.store.raiseAlert({ ...drift, cause: "other" }, 2);
    await waitFor(() => good.received.length === 2);
    await waitFor(() => hanging.received.length === 1);
  }
  hanging.answer = (response) => response.end("{}");
  await using _bed = startBed(folder, sinks);
  await waitFor(() => hanging.received.length === 3);
  expect(messages(hanging).map(({ id }) => id)).toEqual(["1-1-1", "1-1-1", "2-2-2"]);
  expect(good.received).toHaveLength(2);
});

test("one in flight: a slow sink gets the next alert when it has taken the one before", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  const finish: (() => void)[] = [];
  receiver.answer = (response) => finish.push(() => response.end("{}"));
  await using bed = startBed(folder, [{ name: "hook", kind: "webhook", url: receiver.url }]);
  for (const cause of ["a", "b", "c"]) bed.store.raiseAlert({ ...drift, cause }, 1);
  for (const [index, told] of ["a opened", "b opened", "c opened"].entries()) {
    await waitFor(() => finish.length === index + 1);
    expect(brief(receiver).at(-1)).toBe(told);
    finish[index]?.();
  }
});

test("beyond its limit a queue gives up the oldest, and says so to the others", async () => {
  using folder = await makeStateFolder();
  await using full = await startReceiver();
  await using good = await startReceiver();
  full.answer = (response) => response.writeHead(503).end();
  await using bed = startBed(
    folder,
    [
      { name: "full", kind: "webhook", url: full.url },
      { name: "good", kind: "webhook", url: good.url },
    ],
    { mostWaiting: 10 },
  );
  for (let i = 0; i < 15; i += 1) {
    bed.store.raiseAlert({ ...drift, cause: `alert-${i}` }, i);
    await waitFor(() => brief(good).includes(`alert-${i} opened`));
  }
  await waitFor(() => brief(good).some((line) => line.startsWith("sink:full:lagging")));
  full.answer = (response) => response.end("{}");
  await waitFor(() => brief(full).includes("alert-14 opened"));
  const told = brief(full).slice(-10);
  expect(told).toEqual(Array.from({ length: 10 }, (_, i) => `alert-${i + 5} opened`));
  expect(bed.store.events(0, 500).find(({ kind }) => kind === "sink:gave-up")?.data).toMatchObject({ sink: "full" }); // prettier-ignore
});

test("an alert that a sink will never take does not keep the others waiting for ever", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  receiver.answer = (response, { body }) =>
    response.writeHead(body.includes('"cause":"poison"') ? 400 : 200).end("no");
  await using bed = startBed(folder, [{ name: "hook", kind: "webhook", url: receiver.url }]);
  bed.store.raiseAlert({ ...drift, cause: "poison" }, 1);
  bed.store.raiseAlert({ ...drift, cause: "sound" }, 2);
  await waitFor(() => brief(receiver).includes("sound opened"), { timeoutMs: 30_000 });
  expect(brief(receiver).filter((line) => line === "poison opened")).toHaveLength(8);
  expect(bed.store.events(0, 500).find(({ kind }) => kind === "sink:gave-up")?.data).toMatchObject({
    because: expect.stringContaining("status 400"),
  });
}, 40_000);

test("milder alerts than a sink wants, and muted ones, are not sent; the end of a mute sends what stands", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  await using bed = startBed(folder, [
    { name: "hook", kind: "webhook", url: receiver.url, minSeverity: "warning" },
  ]);
  const request = { forMs: 3_600_000, note: null, requestedBy: "li@a" };
  const mute = bed.alerting.mutes.add({ ...request, what: "node:srv127:*" });
  bed.store.raiseAlert({ ...drift, cause: "mild", severity: "info" }, 1);
  bed.store.raiseAlert(drift, Date.now());
  bed.store.raiseAlert({ ...drift, cause: "node:srv127:gone" }, Date.now());
  bed.store.resolveAlert("node:srv127:gone", Date.now());
  bed.store.raiseAlert({ ...drift, cause: "node:srv129:other" }, Date.now());
  await waitFor(() => receiver.received.length === 1);
  bed.alerting.mutes.remove(String(mute.id), "li@a");
  await waitFor(() => receiver.received.length === 2);
  expect(brief(receiver)).toEqual(["node:srv129:other opened", `${drift.cause} unmuted`]);
  bed.store.raiseAlert({ ...drift, cause: "mild", severity: "critical" }, 5);
  await waitFor(() => brief(receiver).at(-1) === "mild changed");
});

test("a mute ends by the clock, also one that ended while no coordinator ran", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  const sinks = [{ name: "hook", kind: "webhook", url: receiver.url }];
  const request = { note: null, requestedBy: "li@a" };
  {
    await using bed = startBed(folder, sinks);
    bed.alerting.mutes.add({ ...request, what: "long", forMs: 3_600_000 });
    bed.alerting.mutes.add({ ...request, what: "short", forMs: 200 });
    bed.store.raiseAlert({ ...drift, cause: "short" }, Date.now());
    await waitFor(() => brief(receiver).includes("short unmuted"));
    expect(bed.store.mutes()).toMatchObject([{ pattern: "long" }]);
    bed.store.addMute({ pattern: "past", until: 1, mutedAt: 0, mutedBy: "li@a", note: null });
  }
  await using bed = startBed(folder, sinks);
  expect(bed.store.mutes()).toMatchObject([{ pattern: "long" }]);
  expect(bed.store.events(0, 500).filter(({ kind }) => kind === "mute:ended")).toMatchObject([
    { data: { pattern: "short", by: "the clock" } },
    { data: { pattern: "past", by: "the clock" } },
  ]);
});

test("what was not for a sink when it happened is not told after a restart either", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  const sink = { name: "hook", kind: "webhook", url: receiver.url, minSeverity: "warning" };
  const request = { forMs: 3_600_000, note: null, requestedBy: "li@a" };
  const comeAndGo = async (bed: Bed): Promise<void> => {
    bed.alerting.mutes.add({ ...request, what: "muted" });
    for (const alert of [
      { ...drift, cause: "muted" },
      { ...drift, cause: "mild", severity: "info" as const },
    ]) {
      bed.store.raiseAlert(alert, Date.now());
      bed.store.resolveAlert(alert.cause, Date.now());
    }
    await waitFor(() => toldRevision(folder) === 4);
    bed.alerting.mutes.remove("muted", "li@a");
  };
  {
    await using bed = startBed(folder, [sink]);
    await comeAndGo(bed);
  }
  await using bed = startBed(folder, [{ ...sink, minSeverity: "info" }]);
  bed.store.raiseAlert({ ...drift, cause: "new" }, Date.now());
  await waitFor(() => brief(receiver).includes("new opened"));
  expect(brief(receiver)).toEqual(["new opened"]);
});

test("a robot is asked as often as it allows, and no more", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  receiver.answer = (response) => response.end('{"errcode":0}');
  const urlFile = secretFile(
    folder,
    "url",
    `${new URL(receiver.url).origin}/robot?access_token=01`,
  );
  const waits: { readonly ms: number; readonly asked: number }[] = [];
  let at = 0;
  const clock = {
    ...systemClock,
    elapsedMs: () => at,
    sleep: async (ms: number) => {
      at += ms;
      waits.push({ ms, asked: receiver.received.length });
    },
  };
  const sink = { name: "group", kind: "webhook", urlFile, template: "dingtalk" };
  await using bed = startBed(folder, [sink], { clock });
  for (let i = 0; i < 20; i += 1) bed.store.raiseAlert({ ...drift, cause: `alert-${i}` }, i);
  await waitFor(() => receiver.received.length === 20);
  expect(waits).toEqual([{ ms: 60_000, asked: 18 }]);
});

test("a sink that is new hears of what stands, not of what was over before", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  {
    await using bed = startBed(folder, []);
    bed.store.raiseAlert({ ...drift, cause: "over" }, 1);
    bed.store.raiseAlert({ ...drift, cause: "stands" }, 2);
    bed.store.resolveAlert("over", 3);
    bed.store.raiseAlert({ ...drift, cause: "sink:gone:lagging" }, 4);
  }
  await using bed = startBed(folder, [{ name: "new", kind: "webhook", url: receiver.url }]);
  bed.store.resolveAlert("stands", 5);
  await waitFor(() => brief(receiver).at(-1) === "stands resolved");
  expect(brief(receiver).filter((line) => line.startsWith("over"))).toEqual([]);
  // The trouble of a sink that the settings name no more is over.
  expect(standing(bed.store)).toEqual([]);
});

test("Alertmanager is told of all that stands again and again, in one request", async () => {
  using folder = await makeStateFolder();
  await using receiver = await startReceiver();
  const url = receiver.url.replace("/hook", "/api/v2/alerts");
  // Its clock runs 25 times as fast: a minute is 2.4 s.
  await using bed = startBed(folder, [{ name: "am", kind: "webhook", url, template: "alertmanager" }]); // prettier-ignore
  for (const cause of ["a", "b", "over"]) bed.store.raiseAlert({ ...drift, cause }, 1);
  bed.store.resolveAlert("over", 2);
  const Posted = z.array(z.object({ labels: z.object({ cause: z.string() }) }));
  const posted = () => receiver.received.map(({ body }) => Posted.parse(JSON.parse(body)).map(({ labels }) => labels.cause)); // prettier-ignore
  await waitFor(() => posted().length >= 5, { timeoutMs: 30_000 });
  expect(posted().slice(0, 5)).toEqual([["a"], ["b"], ["over"], ["a", "b"], ["a", "b"]]);
});
