import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filesOfJobs } from "#agent/adapters/job-folder.ts";
import { createSecrets } from "#agent/adapters/secrets.ts";
import { clientBin } from "#test/harness/postgres.ts";
import { startPostgres, type PostgresServer } from "./postgres-server.ts";

let folder = "";
let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
  folder = await mkdtemp(join(tmpdir(), "castellan-secrets-"));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test("a secret is stored with mode 0600 and never prints", async () => {
  const secrets = await createSecrets(folder);
  expect(await secrets.get("pcp")).toBeNull();
  await secrets.set("pcp", "hush");
  expect((await stat(join(folder, "secrets/pcp"))).mode & 0o777).toBe(0o600);
  const secret = await secrets.get("pcp");
  expect(secret?.reveal()).toBe("hush");
  expect(`${inspect(secret)} ${JSON.stringify(secret)} ${secret?.toString()}`).not.toContain(
    "hush",
  );
  expect(await secrets.names()).toEqual(["pcp"]);
  await expect(secrets.set("pcp", "two\nlines")).rejects.toMatchObject({ code: "USAGE" });
});

test("a secret that others can read is refused, with the command that mends it", async () => {
  const secrets = await createSecrets(folder);
  await secrets.set("pcp", "hush");
  await chmod(join(folder, "secrets/pcp"), 0o640);
  await expect(secrets.get("pcp")).rejects.toMatchObject({
    code: "REFUSED",
    message: expect.stringContaining("0640"),
    hint: expect.stringContaining("chmod 600"),
  });
});

test("libpq takes the password file, with colons and backslashes in the password, for SQL and for replication", async () => {
  const secrets = await createSecrets(folder);
  await secrets.set("replication", server.password);
  const login = { host: "127.0.0.1", port: server.port, user: server.superuser } as const;
  const both = [false, true].map((replication) => ({
    ...login,
    database: "postgres",
    replication,
    secret: "replication" as const,
  }));
  let path = "";
  {
    await using file = await secrets.passwordFile(both);
    path = file.path;
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const env = { PGPASSFILE: path, PATH: "/usr/bin:/bin" };
    const place = ["-w", "-h", login.host, "-p", String(login.port), "-U", login.user, "-Atc"];
    const run = (database: string, sql: string) =>
      execa(`${clientBin}/psql`, ["-d", database, ...place, sql], { env, extendEnv: false });
    expect((await run("dbname=postgres", "SELECT 7")).stdout).toBe("7");
    expect((await run("dbname=postgres replication=true", "IDENTIFY_SYSTEM")).stdout).toMatch(
      /^\d+\|1\|/,
    );
  }
  await expect(stat(path)).rejects.toMatchObject({ code: "ENOENT" });
});

test("password files that a crash left are swept, but not one that a detached job still has", async () => {
  const secrets = await createSecrets(folder);
  for (const name of ["pass-left", "pass-of-job"]) {
    await writeFile(join(folder, "password-files", name), "x", { mode: 0o600 });
  }
  const job = join(folder, "jobs/base-backup.op-abcdefgh");
  await mkdir(job, { recursive: true });
  await writeFile(join(job, "remove-when-ended"), `${folder}/password-files/pass-of-job\n`);
  await secrets.sweepPasswordFiles(await filesOfJobs(join(folder, "jobs")));
  expect(await readdir(join(folder, "password-files"))).toEqual(["pass-of-job"]);
});

test("a login whose secret this host does not have names the command that stores it", async () => {
  const secrets = await createSecrets(folder);
  const asked = secrets.passwordFile([
    { host: "h", port: 1, user: "u", database: "d", replication: false, secret: "database" },
  ]);
  await expect(asked).rejects.toMatchObject({
    code: "RESOURCE_MISSING",
    hint: expect.stringContaining("castellan-agent secret set database"),
  });
  expect(await readFile(join(folder, "secrets/replication"), "utf8")).toBe(server.password);
});
