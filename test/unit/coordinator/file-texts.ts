import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";

/** Files as agents report them: what the case study's hosts have, secrets masked. */

export function serverConfText(
  declaration: ClusterDeclaration,
  node: NodeDeclaration,
  synchronous: string | null,
): string {
  const { root } = node.paths;
  const lines = [
    "# settings of the site",
    `port = ${node.port}`,
    `listen_addresses = '${node.address}'`,
    "wal_level = replica",
    ...(root === null
      ? [`unix_socket_directories = '/var/run/postgresql'`]
      : [
          "archive_mode = on",
          `archive_command = 'test -d ${root}/archivedir && cp %p ${root}/archivedir/%f'`,
          `#control_file_copy = '${root}/template.bk'`,
        ]),
    synchronous === null
      ? `#synchronous_standby_names = '1 (${declaration.nodes.map(({ name }) => name).join(", ")})'`
      : `synchronous_standby_names = '${synchronous}'`,
  ];
  return `${lines.join("\n")}\n`;
}

export function hbaText(declaration: ClusterDeclaration, loopback: boolean): string {
  const { replicationUser, maintenanceUser } = declaration.database;
  const clients = loopback ? ["127.0.0.1"] : declaration.nodes.map(({ address }) => address);
  return [
    "# TYPE  DATABASE  USER  ADDRESS  METHOD",
    "local   all   all   md5",
    ...clients.flatMap((address) => [
      `host    replication   ${replicationUser}   ${address}/32   md5`,
      `host    all   ${maintenanceUser}   ${address}/32   md5`,
    ]),
    "",
  ].join("\n");
}

export function poolText(declaration: ClusterDeclaration): string {
  const rows = declaration.nodes.flatMap((node, id) => [
    `backend_hostname${id} = '${node.address}'`,
    `backend_port${id} = ${node.port}`,
    `backend_weight${id} = 1`,
    `backend_data_directory${id} = '${node.paths.dataDirectory}'`,
    `backend_flag${id} = 'ALLOW_TO_FAILOVER'`,
  ]);
  return `${["# pool of the site", "port = 9999", "pcp_port = 9898", "socket_dir = '/tmp'", "load_balance_mode = on", "sr_check_user = 'pgpool'", "health_check_user = 'pgpool'", "auto_failback = off", ...rows].join("\n")}\n`;
}

export function haModuleText(
  declaration: ClusterDeclaration,
  node: NodeDeclaration,
  synchronous: boolean,
): string {
  const root = node.paths.root ?? "";
  const { nodes, virtualAddresses, database, trustAddresses } = declaration;
  return [
    "#!/bin/bash",
    'DEV="ens33"',
    `KB_GATEWAY_IP="${trustAddresses.join(",")}"`,
    `KB_LOCALHOST_IP="${node.address}"`,
    `SYNC_FLAG=${synchronous ? 1 : 0}`,
    `KB_VIP="${virtualAddresses.database ?? "192.168.4.200/24"}"`,
    `KB_POOL_VIP="${virtualAddresses.pool ?? "192.168.4.201"}"`,
    'PCP_USER="kingbase"',
    'PCP_PASS="[secret]"',
    `KB_ETC_PATH="${root}/db/etc"`,
    `KB_PATH="${root}/db/bin"`,
    `KB_DATA_PATH="${node.paths.dataDirectory}"`,
    `KB_USER="${database.maintenanceUser}"`,
    'KB_PASS="[secret]"',
    `KB_DATANAME="${database.name}"`,
    `KB_PORT="${node.port}"`,
    'KB_EXECUTE_SYS_USER="kingbase"',
    'KB_POOL_EXECUTE_SYS_USER="root"',
    `KB_ALL_IP=(${nodes.map(({ address }) => address).join(" ")})`,
    `KB_POOL_IP1="${nodes[0]?.address ?? ""}"`,
    `KB_POOL_IP2="${nodes[1]?.address ?? ""}"`,
    `ALL_NODE_NAME=(${nodes.map(({ name }) => name).join(" ")})`,
    `NODE_NAME="${node.name}"`,
    "",
  ].join("\n");
}
