import { expect, test } from "vitest";
import { copyMarkerFor, stagingDirectoryFor } from "#shared/domain/names.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { Host } from "#test/harness/host.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "./support/hosts.ts";
import {
  addArguments,
  backupProcess,
  newestOperation,
  stepOf,
  untilOperation,
} from "./support/operations.ts";
import { startProcessSampler } from "./support/process-sampler.ts";
import { filesWithSecrets, openFilesBelow } from "./support/secret-files.ts";
import { secretSpellings, secretsIn } from "./support/secrets.ts";
import { createTranscript } from "./support/transcript.ts";

const wrongPassword = "wr0ng:pass'word%";
const stateFolder = "/var/lib/castellan-agent";

const kingbaseRoot = "/home/kingbase/cluster/ESHA";
const passfile = "/var/lib/postgresql/.pgpass";
const ofKingbasePool = ["HAmodule.conf", "kingbasecluster.conf", "pcp.conf"].map(
  (name) => `kingbasecluster/etc/${name}`,
);

/** The product's own files that hold a password (pcp.conf: its MD5), by node. */
const lanes = [
  {
    title: "PostgreSQL 15 with pgpool",
    product: "postgresql",
    user: "postgres",
    consent: [],
    productFiles: {
      srv127: ["/etc/pgpool2/pcp.conf", "/etc/pgpool2/pgpool.conf"],
      srv129: ["/etc/pgpool2/pcp.conf", "/etc/pgpool2/pgpool.conf", passfile],
      srv159: ["/var/lib/postgresql/ESHA/data/postgresql.auto.conf"],
    },
  },
  {
    title: "KingbaseES V8R3 (emulated) with kingbasecluster",
    product: "kingbase-v8r3",
    user: "kingbase",
    // No ssh between the hosts of the test bed.
    consent: ["--accept-not-promotable"],
    productFiles: {
      srv127: ["db/etc/HAmodule.conf", "db/etc/recovery.done", ...ofKingbasePool].map(inRoot),
      srv129: [
        "db/data/recovery.conf",
        "db/etc/HAmodule.conf",
        "db/etc/recovery.done",
        ...ofKingbasePool,
      ].map(inRoot),
      srv159: ["db/data/recovery.conf", "db/etc/HAmodule.conf", "db/etc/recovery.done"].map(inRoot),
    },
  },
] as const;

function inRoot(file: string): string {
  return `${kingbaseRoot}/${file}`;
}

for (const { title, product, user, consent, productFiles } of lanes) {
  test(`no password of ${title} shows anywhere but in the product's own files and the hosts' stores, whatever becomes of a run`, async () => {
    const lab = await testLab({ hosts: labHosts });
    await using cluster = await createCluster(lab, {
      product,
      nodes: ["srv127", "srv129"],
      newNode: "srv159",
      pool: true,
      sizeMb: 20,
    });
    const hosts = labHosts.map(({ name }) => lab.host(name));
    const words = secretSpellings(cluster, { wrong: wrongPassword });
    const samplers = await Promise.all(hosts.map((host) => startProcessSampler(host, words)));
    await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
    await castellan.cli(["cluster", "import", "ESHA"]);
    const agentSecrets = await Promise.all(
      ["srv127", "srv129", "srv159"].map(async (name): Promise<[string, string]> => {
        const secret = await lab.host(name).readFile(`${stateFolder}/agent-secret`);
        return [`${name}'s own secret`, secret.trim()];
      }),
    );
    const spellings = secretSpellings(cluster, {
      wrong: wrongPassword,
      ...Object.fromEntries(agentSecrets),
    });
    const said = createTranscript(cluster, castellan);
    const expectedFiles = (host: Host, isAdded: boolean): readonly string[] => {
      const all: Readonly<Record<string, readonly string[]>> = productFiles;
      const files = all[host.name] ?? [];
      if (host.name === "srv159" && !isAdded) return [];
      return files.map((file) => `600 ${user} ${file}`);
    };
    /** Files that hold a secret, by host, but for those that are there to hold one. */
    const filesOf = (host: Host): readonly string[] =>
      filesWithSecrets(host, spellings).filter((line) => !isStore(line, user));

    const dryRun = addArguments(cluster, ...consent, "--dry-run");
    await said.run(dryRun);
    await said.run([...dryRun, "--json"]);

    // An abort in the middle that first can't take everything back, and says so.
    const first = await said.start(addArguments(cluster, ...consent, "--max-rate", "4M"));
    const newNode = cluster.node("srv159");
    await waitFor(async () => backupProcess(newNode), { timeoutMs: 30_000, what: "the copy" });
    for (const host of hosts) expect(filesOf(host)).toEqual(expectedFiles(host, false));
    const { id: aborted } = (await newestOperation(castellan)) ?? { id: "" };
    const marker = copyMarkerFor(stagingDirectoryFor(newNode.paths.dataDir));
    const kept = await newNode.host.readFile(marker);
    await waitFor(() =>
      newNode.host.exists(`${stagingDirectoryFor(newNode.paths.dataDir)}/PG_VERSION`),
    );
    await newNode.host.writeFile(marker, "{}");
    await said.run(["operation", "abort", aborted]);
    await first.exited;
    await said.everything(aborted, "needs-attention");
    await newNode.host.writeFile(marker, kept);
    await said.run(["operation", "abort", aborted]);
    await said.everything(aborted, "rolled-back");
    for (const host of hosts) {
      expect(filesOf(host)).toEqual(expectedFiles(host, false));
    }

    // A password that was changed meanwhile, or typed wrong: the run fails, and goes on when it is right again.
    const second = await said.start(addArguments(cluster, ...consent, "--max-rate", "20M"));
    const { id } = await waitFor(
      async () => {
        const newest = await newestOperation(castellan);
        return newest?.id === aborted ? null : newest;
      },
      { timeoutMs: 30_000, what: "the second operation" },
    );
    await waitFor(async () => backupProcess(newNode), { timeoutMs: 30_000, what: "the copy" });
    const { host } = cluster.node("srv129");
    const secret = `${stateFolder}/secrets/database`;
    const right = await host.readFile(secret);
    await host.writeFile(secret, wrongPassword, { owner: user, mode: 0o600 });
    const stuck = await untilOperation(castellan, id, ({ state }) => state !== "running");
    expect(stuck.state).toBe("paused");
    expect(stepOf(stuck, "prove-reads", "srv129").state).toBe("failed");
    await second.exited;
    await said.everything(id, "paused");
    await castellan.killAgent("srv129");
    await host.writeFile(secret, right, { owner: user, mode: 0o600 });
    await castellan.startAgent("srv129");
    await castellan.connected(["srv129"]);
    await said.run(["operation", "resume", id]);
    await said.everything(id, "succeeded");

    expect(said.lines.filter((line) => secretsIn(spellings, line).length > 0)).toEqual([]);
    for (const each of hosts) expect(filesOf(each)).toEqual(expectedFiles(each, true));
    for (const name of ["srv127", "srv129", "srv159"]) {
      const readable = openFilesBelow(lab.host(name), stateFolder);
      expect(readable).toEqual([`644 root ${stateFolder}/coordinator.pem`]);
    }
    expect(samplers.flatMap((sampler) => sampler.found())).toEqual([]);

    // The search can find what is there.
    await provesThatItFinds(cluster, lab.host("srv129"), samplers[1], spellings);
    for (const sampler of samplers) {
      expect(sampler.passes()).toBeGreaterThan(100);
      await sampler.stop();
    }
  });
}

/** Secrets in the store of their host, handed to a program for a moment, or in what a file held before. */
function isStore(line: string, user: string): boolean {
  return new RegExp(
    `^600 ${user} ${stateFolder}/(?:secrets/(?:database|replication|pcp)|agent-secret|password-files/[^/]+|previous/[^/]+/[^/]+)$|/\\.pcppass-lab$`,
  ).test(line);
}

async function provesThatItFinds(
  cluster: TestCluster,
  host: Host,
  sampler: Awaited<ReturnType<typeof startProcessSampler>> | undefined,
  spellings: ReturnType<typeof secretSpellings>,
): Promise<void> {
  const password = cluster.passwords.replication;
  const encoded = Buffer.from(`user:${password}`).toString("base64");
  const planted = [
    await host.spawn(["sleep", "60"], { env: { PGPASSWORD: password } }),
    await host.spawn(["sh", "-c", "sleep 60; :", encoded]),
  ];
  await waitFor(() => (sampler?.found().length ?? 0) >= 2, { what: "what was planted to be seen" });
  const seen = sampler?.found().join("\n");
  expect(seen).toMatch(/srv129: environ of sleep 60 : /);
  expect(seen).toMatch(/srv129: cmdline of sh -c sleep 60; : .*\*\*\*.* : .* in base64/);
  for (const process of planted) process.kill("SIGKILL");
  await host.writeFile("/var/log/planted.log", `GET /?p=${encoded}`);
  expect(filesWithSecrets(host, spellings)).toContain("644 root /var/log/planted.log");
}
