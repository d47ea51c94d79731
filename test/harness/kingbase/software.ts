import type { Host } from "#test/harness/host.ts";
import { clientBin, type Lane, type NodePaths } from "#test/harness/postgres.ts";
import { wrapperFiles } from "./wrappers.ts";

/**
 * The software tree as an installer leaves it: db/bin, db/lib, db/share and the licence, nothing of an
 * instance. The server is a real file named `kingbase`, so that a process list shows the product's path.
 */
export async function installKingbase(host: Host, lane: Lane, paths: NodePaths): Promise<void> {
  const own = { owner: lane.osUser };
  const server = lane.serverBin(host);
  await host.makeDirectory(paths.root, { ...own, mode: 0o775 });
  await host.makeDirectory(`${paths.root}/db`, { ...own, mode: 0o775 });
  await host.makeDirectory(paths.binDir, own);
  await host.exec(["cp", `${server}/postgres`, `${paths.binDir}/kingbase`], { user: lane.osUser });
  for (const folder of ["lib", "share"]) {
    const target = `${server.replace(/\/bin$/, "")}/${folder}`;
    await host.exec(["ln", "-s", target, `${paths.root}/db/${folder}`], { user: lane.osUser });
  }
  const files = wrapperFiles({ server, clients: clientBin, bin: paths.binDir, major: lane.major });
  await Promise.all(
    Object.entries(files).map(([name, text]) =>
      host.writeFile(`${paths.binDir}/${name}`, text, { ...own, mode: 0o755 }),
    ),
  );
  await host.writeFile(`${paths.root}/license.dat`, "emulated licence of the test bed\n", {
    ...own,
    mode: 0o644,
  });
}

/** What an instance has beside its data directory. */
export async function makeKingbaseFolders(
  host: Host,
  lane: Lane,
  paths: NodePaths,
  isManagement: boolean,
): Promise<void> {
  const own = { owner: lane.osUser, mode: 0o775 };
  const folders = [
    "archivedir",
    "log",
    "run",
    "db/etc",
    ...(isManagement
      ? [
          "log/kingbasecluster",
          "log/kingbasecluster/oiddir",
          "run/kingbasecluster",
          "kingbasecluster",
          "kingbasecluster/bin",
          "kingbasecluster/lib",
          "kingbasecluster/etc",
        ]
      : []),
  ];
  for (const folder of folders) await host.makeDirectory(`${paths.root}/${folder}`, own);
}
