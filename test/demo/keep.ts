import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import { untilInterrupted } from "#test/harness/exit-hooks.ts";
import type { Host } from "#test/harness/host.ts";

/** Says how to get at the cluster from another terminal, and leaves it alone until Ctrl-C. */
export async function keepUntilInterrupted(
  castellan: Castellan,
  cluster: TestCluster,
  say: (line: string) => void,
): Promise<void> {
  for (const line of invitation(castellan, cluster)) say(line);
  await untilInterrupted();
  say("Cleaning up.");
}

function invitation(castellan: Castellan, cluster: TestCluster): string[] {
  const { coordinatorHost, stateDirectory } = castellan;
  const cli = [
    ...inside(cluster, coordinatorHost, castellan.coordinator().pid),
    coordinatorHost.nodePath,
    `${coordinatorHost.projectPath}/dist/castellan.js`,
    `--state-dir ${stateDirectory}`,
  ].join(" ");
  const { pools, nodes } = cluster;
  const [first] = nodes;
  return [
    "",
    "The cluster stays until Ctrl-C. From another terminal, for instance:",
    `  castellan() { ${cli} "$@"; }`,
    "  castellan status --watch",
    "  castellan operation list",
    "  castellan alert list",
    "  castellan why srv159",
    ...(pools === null || first === undefined
      ? []
      : throughThePool(castellan, cluster, first.name)),
  ];
}

/** As the application: a session through the pool. */
function throughThePool(castellan: Castellan, cluster: TestCluster, node: string): string[] {
  const { pools } = cluster;
  if (pools === null) return [];
  const { address, port, user, password, database } = pools.login("app");
  const { host: machine } = cluster.node(node);
  return [
    "  " +
      [
        ...inside(cluster, machine, castellan.agent(node).pid),
        `env PGPASSWORD=${password}`,
        `psql -h ${address} -p ${port} -U ${user} -d ${database}`,
        `-c "SELECT count(*), inet_server_addr() FROM ledger"`,
      ].join(" "),
  ];
}

/** What puts a command onto a host; a host on loopback addresses is the machine itself. */
function inside(cluster: TestCluster, host: Host, pid: number): string[] {
  return cluster.lab.mode === "namespaces" && host.isUp() ? [`nsenter -t ${pid} -a`] : [];
}
