import { poolVip, type ClusterModel, type ClusterNode } from "#test/harness/cluster-model.ts";
import { recoveryConf } from "#test/harness/server-files.ts";
import { cronFile, haModule } from "./ha-module.ts";

/** The files beside the data directory that the vendor's installer writes on every existing node. */
export async function writeKingbaseFiles(model: ClusterModel): Promise<void> {
  await Promise.all(model.nodes.map((node) => writeFor(model, node)));
}

/** The database's virtual address, as HAmodule.conf has it (with the mask). */
export function databaseVip(model: Pick<ClusterModel, "lab">): string {
  return model.lab.mode === "loopback" ? "" : `${model.lab.gateway.replace(/\.1$/, ".220")}/24`;
}

async function writeFor(model: ClusterModel, node: ClusterNode): Promise<void> {
  const { lane, lab, passwords, options, port } = model;
  const { host, paths } = node;
  const own = { owner: lane.osUser, mode: 0o600 };
  const upstream = model.nodes.find(({ name }) => name !== node.name) ?? node;
  const template = recoveryConf(lane, {
    name: node.name,
    address: (model.nodes[0] === node ? upstream : (model.nodes[0] ?? node)).address,
    port,
    user: lane.replicationUser,
    password: passwords.replication,
    slot: node.slot,
    passfile: "",
  });
  await host.writeFile(`${paths.root}/db/etc/recovery.done`, template, own);
  await host.writeFile(
    `${paths.root}/db/etc/kingbase.conf`,
    await host.readFile(paths.configFile),
    own,
  );
  const [first, second] = model.nodes;
  const ha = haModule({
    root: paths.root,
    address: node.address,
    nodeName: node.name,
    nodes: model.nodes,
    pools: [first?.address ?? "", second?.address ?? ""],
    device: lab.mode === "loopback" ? "lo" : "eth0",
    gateway: lab.gateway,
    vip: databaseVip(model),
    poolVip: lab.mode === "loopback" ? "" : poolVip(model),
    port,
    database: lane.database,
    osUser: lane.osUser,
    pcpPassword: passwords.pcp,
    maintenanceUser: "SUPERMANAGER_V8ADMIN",
    maintenancePassword: passwords.maintenance,
    isSynchronous: options.synchronous ?? false,
  });
  for (const folder of ["db/etc", "kingbasecluster/etc"]) {
    await host.writeFile(`${paths.root}/${folder}/HAmodule.conf`, ha, own);
  }
  await writeCron(model, node);
}

/** The vendor's cron file, and scripts in the vendor's places that only log that they ran. */
async function writeCron(model: ClusterModel, { host, paths }: ClusterNode): Promise<void> {
  const { lane, options } = model;
  const folder = `${host.root}/etc/cron.d`;
  await host.makeDirectory(folder);
  await host.writeFile(
    `${folder}/KINGBASECRON`,
    cronFile(paths.root, lane.osUser, { isManagement: true, active: options.cronActive ?? false }),
    { mode: 0o644 },
  );
  const logger = (log: string): string =>
    `#!/bin/sh\n# The test bed's stand-in: says that it ran, and does nothing.\necho "$(date +%s) $0 $*" >> ${log}\n`;
  const scripts = {
    [`${paths.binDir}/network_rewind.sh`]: "recovery.log",
    [`${paths.binDir}/all_monitor.sh`]: "recovery.log",
    [`${paths.root}/kingbasecluster/bin/restartcluster.sh`]: "cluster_restart.log",
  };
  for (const [file, log] of Object.entries(scripts)) {
    await host.writeFile(file, logger(`${paths.root}/log/${log}`), {
      owner: lane.osUser,
      mode: 0o755,
    });
  }
}
