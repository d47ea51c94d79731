import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { unreadHash } from "#shared/domain/facts.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createBed, folders, hashOf, inTime } from "./watch-bed.ts";

test("a file that was renamed over is told within a second, with the exact diff", async () => {
  await using bed = await createBed();
  await bed.accept();
  writeFileSync(`${bed.conf}.new`, "port = 5433\nmax_wal_senders = 4\n");
  renameSync(`${bed.conf}.new`, bed.conf);
  const [event] = await waitFor(() => (bed.events.length > 0 ? bed.events : null), inTime);
  expect(event).toMatchObject({
    kind: "file-changed",
    cause: `file:${bed.conf}`,
    severity: "warning",
    summary: `${bed.conf} differs from its accepted content`,
  });
  expect(event?.detail).toContain("-port = 5432\n+port = 5433\n max_wal_senders = 4\n");
});

test("a write in place is told within a second, and its way back ends the alert", async () => {
  await using bed = await createBed();
  await bed.accept();
  const before = readFileSync(bed.hba);
  appendFileSync(bed.hba, "host all all 0.0.0.0/0 trust\n");
  await waitFor(() => bed.drift(bed.hba).length === 1, inTime);
  expect(bed.events[0]?.detail).toContain("+host all all 0.0.0.0/0 trust");
  writeFileSync(bed.hba, before);
  const back = await waitFor(() => bed.drift(bed.hba)[1], inTime);
  expect(back).toMatchObject({
    severity: "info",
    summary: `${bed.hba} is back to its accepted content`,
  });
});

test("a deleted file is told, and made anew with the same bytes it is accepted again", async () => {
  await using bed = await createBed();
  await bed.accept();
  const before = readFileSync(bed.conf);
  rmSync(bed.conf);
  const gone = await waitFor(() => bed.drift(bed.conf)[0], inTime);
  expect(gone.summary).toBe(`${bed.conf} is gone`);
  writeFileSync(bed.conf, before);
  const back = await waitFor(() => bed.drift(bed.conf)[1], inTime);
  expect(back.severity).toBe("info");
});

test("two writes within 20 ms end with the diff of the second", async () => {
  await using bed = await createBed();
  await bed.accept();
  for (let round = 0; round < 5; round += 1) {
    writeFileSync(bed.conf, `port = ${6000 + round}\n`);
    await sleep(10 + round * 2);
    writeFileSync(`${bed.conf}.new`, `port = ${7000 + round}\n`);
    renameSync(`${bed.conf}.new`, bed.conf);
    await waitFor(
      () =>
        bed
          .drift(bed.conf)
          .at(-1)
          ?.detail.includes(`+port = ${7000 + round}`),
      {
        ...inTime,
        what: `the second write of round ${round}`,
      },
    );
  }
});

test("a file that was accepted as absent is told when it appears", async () => {
  await using bed = await createBed();
  await bed.accept();
  const marker = join(bed.folder, "data/standby.signal");
  writeFileSync(marker, "");
  const event = await waitFor(() => bed.drift(marker)[0], inTime);
  expect(event.summary).toBe(`${marker} has appeared`);
});

test("an edit by our own files adapter raises nothing; a person's edit after it does", async () => {
  await using bed = await createBed();
  await bed.accept();
  const ours = readFileSync(bed.conf, "latin1") + "wal_keep_size = 1GB\n";
  await bed.node.ports.files.replace(bed.conf, ours);
  await bed.watch.poll();
  await bed.watch.poll({ again: true });
  expect(bed.events).toEqual([]);

  appendFileSync(bed.conf, "fsync = off\n");
  const event = await waitFor(() => bed.drift(bed.conf)[0], inTime);
  // Against what we wrote, not against what was accepted before.
  expect(event.detail).toContain(" wal_keep_size = 1GB\n+fsync = off");
  expect(event.detail).not.toContain("+wal_keep_size");
});

test("without a baseline nothing is drift", async () => {
  await using bed = await createBed();
  bed.watch.setBaselines([]);
  await bed.watch.poll();
  appendFileSync(bed.conf, "fsync = off\n");
  await bed.watch.poll();
  await bed.watch.poll({ again: true });
  expect(bed.events).toEqual([]);
});

test("an alert that was open before a restart is ended after it, and drift during it is told", async () => {
  let folder = "";
  let accepted = "";
  {
    await using bed = await createBed();
    folder = bed.folder;
    folders.length = 0;
    accepted = readFileSync(bed.conf, "latin1");
    await bed.accept();
    appendFileSync(bed.conf, "fsync = off\n");
    await waitFor(() => bed.drift(bed.conf).length === 1, inTime);
  }
  writeFileSync(join(folder, "data/postgresql.conf"), accepted);
  appendFileSync(join(folder, "data/pg_hba.conf"), "host all all ::/0 trust\n");
  await using bed = await createBed(folder);
  const hba = createHash("sha256").update("local all all peer\n").digest("hex");
  bed.watch.setBaselines([
    { path: bed.conf, hash: hashOf(bed.conf) },
    { path: bed.hba, hash: hba },
  ]);
  await waitFor(() => bed.events.length === 2, inTime);
  expect(bed.drift(bed.conf)).toMatchObject([{ severity: "info" }]);
  expect(bed.drift(bed.hba)[0]?.detail).toContain("+host all all ::/0 trust");
});

test("a changed password is told as such, and stands neither in events nor on our disk", async () => {
  await using bed = await createBed();
  const auto = join(bed.folder, "data/postgresql.auto.conf");
  writeFileSync(auto, "primary_conninfo = 'host=a password=first-secret'\n");
  bed.watch.setBaselines([{ path: auto, hash: hashOf(auto) }]);
  await bed.watch.poll();
  writeFileSync(auto, "primary_conninfo = 'host=a password=second-secret'\n");
  const event = await waitFor(() => bed.drift(auto)[0], inTime);
  expect(event.detail).toContain("only secret values differ");
  const kept = readdirSync(join(bed.folder, "state/watch"))
    .map((name) => readFileSync(join(bed.folder, "state/watch", name), "latin1"))
    .join();
  expect(JSON.stringify(bed.events) + kept).not.toMatch(/first-secret|second-secret/);
});

test("a data directory that is swapped as a whole is looked at again", async () => {
  await using bed = await createBed();
  await bed.accept();
  const data = join(bed.folder, "data");
  renameSync(data, join(bed.folder, "data.old"));
  mkdirSync(data);
  writeFileSync(bed.conf, "port = 1\n");
  writeFileSync(bed.hba, "local all all peer\n");
  await bed.watch.poll(); // the backstop: a watch on a renamed directory may be deaf
  expect(bed.drift(bed.conf).at(-1)?.detail).toContain("+port = 1");
  writeFileSync(bed.conf, "port = 2\n");
  await waitFor(() => bed.drift(bed.conf).at(-1)?.detail.includes("+port = 2"), inTime);
});

test("a file of a directory that comes later is noticed", async () => {
  await using bed = await createBed();
  rmSync(join(bed.folder, "data"), { recursive: true });
  await bed.watch.poll();
  bed.watch.setBaselines([{ path: bed.conf, hash: null }]);
  await bed.watch.poll();
  bed.events.length = 0;
  mkdirSync(join(bed.folder, "data"));
  writeFileSync(bed.conf, "port = 1\n");
  await waitFor(() => bed.drift(bed.conf).at(-1)?.summary.endsWith("has appeared"), inTime);
});

test("a file over the limit and one whose mode changed are told by their state, not by their bytes", async () => {
  await using bed = await createBed();
  await bed.accept();
  chmodSync(bed.conf, 0o640);
  await bed.watch.poll();
  await bed.watch.poll({ again: true });
  expect(bed.events).toEqual([]);
  writeFileSync(bed.conf, "#".repeat(100_001));
  const event = await waitFor(() => bed.drift(bed.conf)[0], inTime);
  expect(event.summary).toContain("too large");
});

test("a mode that differs from the accepted one is told, and its way back ends the alert", async () => {
  await using bed = await createBed();
  chmodSync(bed.conf, 0o600);
  bed.watch.setBaselines([{ path: bed.conf, hash: hashOf(bed.conf), mode: 0o600 }]);
  await bed.watch.poll();
  chmodSync(bed.conf, 0o644);
  const event = await waitFor(() => bed.drift(bed.conf)[0], inTime);
  expect(event.summary).toBe(`${bed.conf} has another mode or owner than accepted`);
  expect(event.detail).toContain("mode 0600 became 0644");
  expect(event.who).toMatch(new RegExp(`^uid ${process.getuid?.()}( \\(\\S+\\))?$`));
  chmodSync(bed.conf, 0o600);
  expect(await waitFor(() => bed.drift(bed.conf)[1], inTime)).toMatchObject({ severity: "info" });
});

test("a file that can't be parsed any more is told with the place, the alert names the line", async () => {
  await using bed = await createBed();
  await bed.accept();
  appendFileSync(bed.conf, "work_mem = 'never closed\n");
  const event = await waitFor(() => bed.drift(bed.conf)[0], inTime);
  expect(event).toMatchObject({ file: bed.conf, line: 3 });
  expect(event.detail).toMatch(new RegExp(`^${bed.conf}:3:\\d+: `, "m"));
});

test("what was accepted while the file was another one already is still what it is compared with", async () => {
  await using bed = await createBed();
  await bed.accept();
  writeFileSync(bed.conf, "port = 7777\n");
  const accepted = hashOf(bed.conf);
  await waitFor(() => bed.drift(bed.conf).length === 1, inTime);
  writeFileSync(bed.conf, "port = 8888\n");
  await waitFor(() => bed.drift(bed.conf).length === 2, inTime);
  bed.watch.setBaselines([{ path: bed.conf, hash: accepted }]);
  const event = await waitFor(() => bed.drift(bed.conf)[2], inTime);
  expect(event.detail).toContain("-port = 7777\n+port = 8888");
});

test("an edit that another line overrules says so; what was overruled before is not told", async () => {
  await using bed = await createBed();
  const auto = join(bed.folder, "data/postgresql.auto.conf");
  writeFileSync(auto, "work_mem = '8MB'\nport = '5433'\n");
  await bed.accept();
  appendFileSync(bed.conf, "work_mem = 4MB\n");
  const event = await waitFor(() => bed.drift(bed.conf)[0], inTime);
  expect(event.detail).toContain(`${bed.conf}:3: work_mem has no effect, ${auto}:1 sets it to 8MB`);
  expect(event.detail).not.toContain("port has no effect");
  bed.watch.setBaselines([{ path: bed.conf, hash: hashOf(bed.conf) }]);
  appendFileSync(bed.conf, "fsync = off\ninclude 'extra.conf'\nfsync = on\n");
  const next = await waitFor(() => bed.drift(bed.conf).find(({ detail }) => detail.includes("+fsync")), inTime); // prettier-ignore
  expect(next.detail).not.toContain("work_mem has");
});

test("included files are watched from the moment that they are included", async () => {
  await using bed = await createBed();
  const extra = join(bed.folder, "data/extra.conf");
  writeFileSync(extra, "work_mem = 4MB\n");
  await bed.accept();
  expect(bed.files.watched().map(({ path }) => path)).not.toContain(extra);
  appendFileSync(bed.conf, "include 'extra.conf'\ninclude_if_exists 'missing.conf'\n");
  await waitFor(() => bed.files.watched().some(({ path }) => path === extra), inTime);
  bed.watch.setBaselines([
    { path: bed.conf, hash: hashOf(bed.conf) },
    { path: extra, hash: hashOf(extra) },
    { path: join(bed.folder, "data/missing.conf"), hash: null },
  ]);
  await bed.watch.poll();
  bed.events.length = 0;
  writeFileSync(extra, "work_mem = 8MB\n");
  const event = await waitFor(() => bed.drift(extra)[0], inTime);
  expect(event.detail).toContain("-work_mem = 4MB\n+work_mem = 8MB");
  writeFileSync(join(bed.folder, "data/missing.conf"), "fsync = off\n");
  const appeared = join(bed.folder, "data/missing.conf");
  expect((await waitFor(() => bed.drift(appeared)[0], inTime)).summary).toContain("has appeared");
});

test("a file of an included directory is noticed when it comes, and missed when it goes, also over a restart", async () => {
  let folder = "";
  {
    await using bed = await createBed();
    folder = bed.folder;
    folders.length = 0;
    mkdirSync(join(folder, "data/conf.d"));
    appendFileSync(bed.conf, "include_dir 'conf.d'\n");
    await bed.watch.poll();
    const added = join(folder, "data/conf.d/10-memory.conf");
    writeFileSync(added, "work_mem = 4MB\n");
    writeFileSync(join(folder, "data/conf.d/notes.txt"), "no configuration\n");
    await waitFor(() => bed.files.watched().some(({ path }) => path === added), inTime);
    expect((await bed.files.observe({ now: true })).find(({ path }) => path === added)).toMatchObject({ origin: "include-dir", state: "present" }); // prettier-ignore
    expect(bed.files.watched().filter(({ origin }) => origin)).toHaveLength(1);
    bed.watch.setBaselines([{ path: added, hash: hashOf(added) }]);
    await bed.watch.poll();
  }
  const added = join(folder, "data/conf.d/10-memory.conf");
  const hash = hashOf(added);
  rmSync(added);
  await using bed = await createBed(folder);
  bed.watch.setBaselines([{ path: added, hash }]);
  expect((await waitFor(() => bed.drift(added)[0], inTime)).summary).toBe(`${added} is gone`);
});

test("the accepted bytes of every watched file are kept on this host alone, secrets too", async () => {
  await using bed = await createBed();
  const auto = join(bed.folder, "data/postgresql.auto.conf");
  writeFileSync(auto, "primary_conninfo = 'host=a password=first-secret'\n");
  const accepted = hashOf(auto);
  await bed.accept();
  writeFileSync(auto, "primary_conninfo = 'host=a password=second-secret'\n");
  await bed.watch.poll();
  const { versions } = bed.node.ports.files;
  expect(await versions.find(auto, accepted)).toMatchObject({
    text: "primary_conninfo = 'host=a password=first-secret'\n",
  });
  expect(await versions.find(auto, hashOf(auto))).not.toBeNull();
  const previous = join(bed.folder, "state/previous");
  expect(statSync(previous).mode & 0o777).toBe(0o700);
  for (const entry of readdirSync(previous, { recursive: true, withFileTypes: true })) {
    const mode = statSync(join(entry.parentPath, entry.name)).mode & 0o777;
    expect(mode).toBe(entry.isDirectory() ? 0o700 : 0o600);
  }
});

test("of a password file another mode is told with what it means, another password is not looked at", async () => {
  await using bed = await createBed();
  const pass = join(bed.folder, ".pgpass");
  const named = join(bed.folder, "named.pass");
  for (const path of [pass, named]) writeFileSync(path, "*:*:*:*:one\n", { mode: 0o600 });
  appendFileSync(bed.conf, `primary_conninfo = 'user=a passfile=${named}'\n`);
  await bed.watch.poll();
  const accepted = (await bed.files.observe({ now: true })).filter(({ format }) => format === "pass"); // prettier-ignore
  expect(accepted.map(({ path, hash, mode, maskedText }) => ({ path, hash, mode, maskedText }))).toEqual([pass, named].map((path) => ({ path, hash: unreadHash, mode: 0o600, maskedText: null }))); // prettier-ignore
  bed.watch.setBaselines(
    accepted.map(({ path, hash, mode, owner }) => ({
      path,
      hash,
      mode: mode ?? 0,
      owner: owner ?? "",
    })),
  );
  for (const path of [pass, named]) {
    writeFileSync(path, "*:*:*:*:two\n");
    await bed.watch.poll({ again: true });
    expect(bed.drift(path)).toEqual([]);
    chmodSync(path, 0o640);
    const { detail } = await waitFor(() => bed.drift(path)[0], inTime);
    expect(detail).toMatch(/mode 0600 became 0640\n.*stops at its next reconnect$/);
  }
  rmSync(pass);
  const gone = await waitFor(() => bed.drift(pass)[1], inTime);
  expect(gone.detail).toContain("it is gone: replication");
});
