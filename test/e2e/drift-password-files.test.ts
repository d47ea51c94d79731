import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { failures } from "#shared/errors.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { soon, startDriftBed } from "./support/drift-bed.ts";

const line = "*:*:*:replicator:never-told-5ecret\n";

test("of a password file mode and owner alone are watched, and they alone are put back", async () => {
  await using bed = await startDriftBed();
  const { castellan, cluster, host, paths } = bed;
  const own = { owner: cluster.lane.osUser, mode: 0o600 };
  const home = (await host.exec(["printenv", "HOME"], { user: own.owner })).stdout.trim();
  const inHome = `${home}/.pgpass`;
  const named = `${paths.root}/standby.pass`;
  const auto = `${paths.dataDir}/postgresql.auto.conf`;
  const decide = (verb: string, path: string) =>
    castellan.cli(["drift", verb, "srv127", path, "--yes"], { reject: false });
  const modeOf = async (path: string) => (await host.exec(["stat", "-c", "%a", path])).stdout.trim(); // prettier-ignore
  const nothingLeft = () => waitFor(async () => (await bed.list()).files.length === 0, soon);

  await host.writeFile(inHome, line, own);
  await bed.drifted(inHome);
  const appeared = await decide("revert", inHome);
  expect(appeared.exitCode).toBe(failures.REFUSED.exitCode);
  expect(appeared.stderr).toContain("never read");
  expect((await decide("accept", inHome)).exitCode).toBe(0);

  await host.writeFile(named, line, own);
  await bed.write(auto, `${await bed.read(auto)}primary_conninfo = 'user=a passfile=${named}'\n`);
  await bed.drifted(auto);
  expect((await decide("accept", auto)).exitCode).toBe(0);
  await waitFor(async () => {
    const known = await castellan.cli(["file", "history", "srv127", named], { reject: false });
    return known.exitCode === 0;
  }, { ...soon, what: "the file that primary_conninfo names" }); // prettier-ignore

  for (const path of [inHome, named]) {
    // Another password is nobody's business; what is told after it shows that it was looked at.
    await host.writeFile(path, line.replace("5ecret", "0ther"), own);
    await host.exec(["chmod", "644", path]);
    const cause = `node:srv127:file:${path}`;
    const alert = await waitFor(() => bed.alertOf(cause), { ...soon, what: `${path} in alert` });
    expect(alert.summary).toBe(`${path} has another mode or owner than accepted`);
    expect(alert.detail).toContain("mode 0600 became 0644");
    expect(alert.detail).toContain("stops at its next reconnect");
    await bed.drifted(path);
    const shown = await bed.show(path);
    expect(shown).toMatchObject({ what: "mode changed", diff: ["mode 0600 became 0644"] });
    expect(shown.changes.join()).toContain("stops at its next reconnect");
  }
  // Of the rule that both break there is one alert, with what to type for each.
  const ruled = async () =>
    (await castellan.json<readonly AlertRecord[]>(["alert", "list"])).filter(
      ({ rule }) => rule === "secret-file-mode",
    );
  const fixes = [inHome, named].map((path) => `fix: chmod 0600 ${path}`);
  await waitFor(
    async () => {
      const [alert, ...others] = await ruled();
      return others.length === 0 && fixes.every((fix) => alert?.detail.includes(fix));
    },
    { ...soon, what: "the rule's alert" },
  );
  const dry = await castellan.cli(["drift", "revert", "srv127", inHome, "--dry-run"]);
  expect(dry.stdout).toContain("mode 0644 became 0600");
  expect((await decide("revert", inHome)).exitCode).toBe(0);
  expect([await modeOf(inHome), await bed.read(inHome)]).toEqual(["600", line.replace("5ecret", "0ther")]); // prettier-ignore
  // It lies where agent.yaml allows no writes.
  const elsewhere = await decide("revert", named);
  expect(elsewhere.exitCode).not.toBe(0);
  expect(elsewhere.stdout + elsewhere.stderr).toContain(`chmod 0600 ${named}`);
  await host.exec(["chmod", "600", named]);
  await nothingLeft();
  await waitFor(async () => (await ruled()).length === 0, soon);

  await host.exec(["rm", inHome]);
  await bed.drifted(inHome);
  const gone = await decide("revert", inHome);
  expect([gone.exitCode, gone.stderr]).toEqual([failures.REFUSED.exitCode, expect.stringContaining("never read")]); // prettier-ignore
  await host.writeFile(inHome, line, own);
  await nothingLeft();

  const said = [
    await castellan.cli(["alert", "list", "--all", "--json"]),
    await castellan.cli(["file", "history", "srv127", inHome, "--json"]),
    await castellan.cli(["events", "--json"]),
  ].map(({ stdout }) => stdout);
  const hashes = [line, line.replace("5ecret", "0ther")].map((text) => createHash("sha256").update(text).digest("hex")); // prettier-ignore
  for (const secret of ["never-told", ...hashes.map((hash) => hash.slice(0, 12))]) {
    expect(said.filter((text) => text.includes(secret))).toEqual([]);
    const folders = [castellan.stateDirectory, `${host.root}/var/lib/castellan-agent`];
    for (const [at, folder] of folders.entries()) {
      const on = at === 0 ? castellan.coordinatorHost : host;
      const found = await on.exec(["grep", "-rlaF", secret, folder], { reject: false });
      expect([secret, found.stdout]).toEqual([secret, ""]);
    }
  }
});
