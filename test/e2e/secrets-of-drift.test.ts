import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import type { DriftAnswer, DriftShown } from "#coordinator/api/drift-contract.ts";
import { formatOfPath } from "#shared/config-files/file-format.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import type { Host } from "#test/harness/host.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { filesWithSecrets } from "./support/secret-files.ts";
import { secretSpellings, secretsIn } from "./support/secrets.ts";
import { createTranscript, watchedFiles } from "./support/transcript.ts";
import { linesWith, typedPassword } from "./support/typed-passwords.ts";

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "coord", address: "192.168.4.10" },
];
const soon = { timeoutMs: 30_000, intervalMs: 100 };
const node = "srv129";
const agentState = "/var/lib/castellan-agent";
const told = "/tmp/told-to-a-command";
const sinkFolder = "/etc/castellan-sinks";
const templates = ["json", "alertmanager", "dingtalk", "wecom", "feishu", `${sinkFolder}/own`];

/** What cron runs is root's. */
const notWritten = /^\/etc\/cron/;
/** Of these the content is not looked at: whatever is typed there is no drift. */
const notRead = /\/\.\w+pass$/;

const receiver = `
require("node:http").createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    console.log(request.url + " " + Buffer.concat(chunks));
    response.end('{"errcode":0,"code":0}');
  });
}).listen(9780, "127.0.0.1", () => console.log("listening"));
`;

test.each(["postgresql", "kingbase-v8r3"] as const)(
  "passwords typed into any file of %s are told to nobody, and a revert brings back the bytes",
  async (product) => {
    const lab = await testLab({ hosts });
    await using cluster = await createCluster(lab, {
      product,
      nodes: ["srv127", "srv129"],
      pool: true,
    });
    const coord = lab.host("coord");
    const sinks = await prepareSinks(coord, cluster.lane.osUser);
    await using castellan = await installCastellan(cluster, {
      coordinatorHost: coord,
      settings: sinks,
    });
    const said = createTranscript(cluster, castellan);
    const sink = await coord.spawn([coord.nodePath, "-e", receiver]);
    const bodies: string[] = [];
    if (sink.stdout === null) throw new Error("a receiver without standard output");
    createInterface({ input: sink.stdout }).on("line", (line) => bodies.push(line));
    await waitFor(() => bodies.includes("listening"), { ...soon, what: "the receiver" });
    const events = await said.start(["events", "--follow", "--json", "--after", "0"]);
    await castellan.cli(["cluster", "import", cluster.name]);

    const { host } = cluster.node(node);
    const socket = coord.path(`${castellan.stateDirectory}/api.sock`);
    const files = await waitFor(
      async () => {
        const watched = await watchedFiles(socket, node);
        const present = watched.filter(
          (path) => !path.endsWith(".signal") && !notRead.test(path) && host.exists(path),
        );
        return present.length > 7 ? present : null;
      },
      { ...soon, what: "the first sight of the files" },
    );
    const drifting = async (path: string) =>
      (await castellan.json<DriftAnswer>(["drift", "list"])).files.find(
        (item) => item.node === node && item.path === path,
      );
    const passwords = files.flatMap((_, at) => [
      typedPassword(`f${at}a`),
      typedPassword(`f${at}b`),
    ]);
    const spellings = secretSpellings(
      { passwords: {} },
      Object.assign({}, ...passwords.map((password) => password.spellings)),
    );
    for (const [at, path] of files.entries()) {
      const format = formatOfPath(path);
      const before = await host.readFile(path);
      const type = (lines: readonly string[]) =>
        host.writeFile(path, [before.trimEnd(), ...lines, ""].join("\n"));
      const [first, second] = passwords.slice(2 * at);
      if (first === undefined || second === undefined) throw new Error("no password");
      await type(linesWith(format, first).sound);
      const { shown } = await waitFor(() => drifting(path), { ...soon, what: `drift of ${path}` });
      await said.run(["drift", "show", node, path]);
      const { sound, broken } = linesWith(format, second);
      await type([...sound, ...broken]);
      await waitFor(async () => (await drifting(path))?.shown !== shown, {
        ...soon,
        what: `another drift of ${path}`,
      });
      const refused = await said.run(["drift", "revert", node, path, "--hash", shown]);
      expect([path, refused.exitCode]).not.toEqual([path, 0]);
      const difference = JSON.parse(
        (await said.run(["drift", "show", node, path, "--json"])).stdout,
      ) as DriftShown; // the API's own shape
      expect(difference.diff.join("\n")).toContain("[secret");
      await said.run(["drift", "list", "--json"]);
      await said.run(["alert", "list", "--all", "--json"]);
      for (const words of [["show"], ["show", "--version", "2"], ["history"]]) {
        const [verb = "", ...options] = words;
        await said.run(["file", verb, node, path, ...options]);
      }
      await said.run(["file", "diff", `${node}:1`, `${node}:2`, path]);
      await said.run(["file", "diff", node, "srv127", path]);
      const revert = await said.run(["drift", "revert", node, path, "--yes"]);
      if (notWritten.test(path)) await host.writeFile(path, before);
      else expect(revert.exitCode, `${path}: ${revert.stdout}${revert.stderr}`).toBe(0);
      expect(await host.readFile(path)).toBe(before);
    }
    await waitFor(
      async () => (await castellan.json<DriftAnswer>(["drift", "list"])).files.length === 0,
      { ...soon, what: "no drift to be left" },
    );

    const operations = await castellan.json<readonly { id: string }[]>(["operation", "list"]);
    const [last] = operations;
    for (const { id } of operations) await said.run(["operation", "show", id, "--json"]);
    await said.everything(last?.id ?? "", "succeeded");
    await said.run(["rules", "list"]);
    for (const place of templates.keys()) {
      await waitFor(
        () => bodies.filter((body) => body.startsWith(`/${place}/`)).length > files.length,
        {
          ...soon,
          what: `what ${templates[place]} is told`,
        },
      );
    }
    events.kill("SIGTERM");
    await events.exited;
    said.say("a command's standard input", await coord.readFile(told));
    for (const body of bodies) said.say("a webhook", decoded(body));
    for (const name of ["srv127", "srv129", null]) said.say("a log", await castellan.logs(name));

    // It was said that they changed.
    for (const path of files) {
      expect(said.lines.some((line) => line.startsWith("a webhook") && line.includes(path))).toBe(
        true,
      );
    }
    expect(said.lines.filter((line) => secretsIn(spellings, line).length > 0)).toEqual([]);
    expect(filesWithSecrets(coord, spellings)).toEqual([]);
    expect(filesWithSecrets(host, spellings).filter((line) => !isOfTheProduct(line))).toEqual([]);
    // The search can find what is there: what the agent keeps for a revert.
    expect(filesWithSecrets(host, spellings).join("\n")).toContain(`${agentState}/previous/`);
    sink.kill("SIGTERM");
    await sink.exited;
  },
);

/** Kept on their host for a revert, or in the servers' and pools' own logs. */
function isOfTheProduct(line: string): boolean {
  return new RegExp(`^600 \\S+ ${agentState}/previous/|\\.log$|/log/`).test(line);
}

/** A body as its JSON says it, beside its bytes. */
function decoded(body: string): string {
  return `${body}\n${body.replaceAll("\\n", "\n").replaceAll(/\\(["\\/])/g, "$1")}`;
}

async function prepareSinks(host: Host, user: string): Promise<string> {
  await host.makeDirectory(sinkFolder, { owner: user, mode: 0o700 });
  const own = '{"text": "{{severity}}: {{summary}} {{detail}} {{fix}}"}';
  await host.writeFile(`${sinkFolder}/own`, own, { owner: user, mode: 0o600 });
  const lines: string[] = [];
  for (const [at, template] of templates.entries()) {
    const urlFile = `${sinkFolder}/url-${at}`;
    const url = `http://127.0.0.1:9780/${at}/api/v2/alerts`;
    await host.writeFile(urlFile, `${url}\n`, { owner: user, mode: 0o600 });
    lines.push(
      `  - { name: s${at}, kind: webhook, urlFile: "${urlFile}", template: "${template}" }`,
    );
  }
  lines.push(`  - { name: program, kind: command, argv: [/usr/bin/tee, -a, "${told}"] }`);
  return `sinks:\n${lines.join("\n")}\n`;
}
