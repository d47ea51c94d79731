import type { TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import type { Host } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const programs = "/usr/lib/castellan";

/** `castellan …` on the coordinator's host, as its user. */
export async function castellan(host: Host, args: readonly string[]): Promise<string> {
  const { stdout } = await host.exec(["castellan", ...args], { user: "castellan" });
  return stdout;
}

/** What the head of the unit file tells a person to do. */
export async function installCoordinator(host: Host): Promise<void> {
  await host.exec(["useradd", "--system", "--shell", "/usr/sbin/nologin", "castellan"]);
  await installPrograms(host, ["castellan.js"]);
  const modules = ["libsql", "@libsql", "@neon-rs", "detect-libc"];
  const from = modules.map((name) => `${host.projectPath}/node_modules/${name}`);
  await host.exec(["mkdir", `${programs}/node_modules`]);
  await host.exec(["cp", "-r", ...from, `${programs}/node_modules/`]);
  await host.exec(["install", "-d", "-o", "castellan", "-m", "0700", "/var/lib/castellan"]);
  await castellan(host, ["init", "--advertise", host.address]);
  await startUnit(host, "castellan-coordinator.service");
  await waitFor(() => castellan(host, ["status"]), { what: "the coordinator to answer" });
}

/** Root's part and the database user's part on a data node. */
export async function installAgent(
  coordinator: Host,
  { lane, passwords }: TestCluster,
  { host, name, paths, port }: ClusterNode,
): Promise<void> {
  await installPrograms(host, ["castellan-agent.js", "castellan-root.js"]);
  const who = `--user ${lane.osUser} --product ${lane.product} --bin-dir ${paths.binDir}`;
  const root = ["castellan-root", "install", ...who.split(" ")];
  const helper = /rootHelper: (\[.*\])/.exec((await host.exec(root)).stdout)?.[1];
  if (helper === undefined) throw new Error("castellan-root install does not say how to call it");
  const answer = await castellan(coordinator, ["token", "create", "--node", name, "--json"]);
  const { joinLine } = JSON.parse(answer) as { joinLine: string }; // TokenAnswer
  const options = [
    `${who} --data-dir ${paths.dataDir} --port ${port} --server-config ${paths.configFile}`,
    `--hba-file ${paths.hbaFile} --ident-file ${paths.identFile} --database-host 127.0.0.1`,
    `--database-name ${lane.database} --database-user ${lane.superuser} --root-helper`,
  ];
  // The line is pasted into root's shell, with what differs from the product's defaults behind it.
  const call = (JSON.parse(helper) as string[]).join(" "); // printed as a JSON array of words
  await host.exec(["sh", "-c", `${joinLine} ${options.join(" ")} '${call}'`]);
  const secrets = { database: passwords.superuser, replication: passwords.replication };
  for (const [secret, input] of Object.entries(secrets)) {
    const argv = ["castellan-agent", "secret", "set", secret];
    await host.exec(argv, { user: lane.osUser, input });
  }
  await startUnit(host, "castellan-agent.service");
}

/** Another build of the agent in the place of the one that runs, as a package's upgrade does it. */
export async function replaceAgent(host: Host, version: string): Promise<void> {
  const file = `${programs}/castellan-agent.js`;
  const edit = String.raw`s/version="[0-9]*\.[0-9]*\.[^"]*"/version="${version}"/`;
  await host.exec(["sh", "-c", 'sed "$1" "$2" > "$2.new" && mv "$2.new" "$2"', "sh", edit, file]);
}

async function installPrograms(host: Host, names: readonly string[]): Promise<void> {
  const from = names.map((name) => `${host.projectPath}/dist/${name}`);
  await host.exec(["install", "-d", programs]);
  await host.exec(["install", "-m", "0755", ...from, `${programs}/`]);
  for (const name of names) {
    const link = `/usr/local/bin/${name.replace(/\.js$/, "")}`;
    await host.exec(["ln", "-s", `${programs}/${name}`, link]);
  }
}

async function startUnit(host: Host, unit: string): Promise<void> {
  const units = "/etc/systemd/system/";
  await host.exec(["install", "-m", "0644", `${host.projectPath}/systemd/${unit}`, units]);
  await host.exec(["systemctl", "daemon-reload"]);
  await host.exec(["systemctl", "enable", "--now", unit]);
}
