import { oldDirectoryFor } from "#shared/domain/names.ts";
import type { Fleet } from "../../ports.ts";
import { askIfThere } from "../add-node/ask.ts";
import { noProbes, type Probes, type Situation } from "../add-node/situation.ts";
import { measureThroughput } from "../add-node/throughput.ts";

/** Long enough to see a steady load, short enough that nobody waits for it. */
const walWindowMs = 400;

/** Asks the host that is copied to, and the primary, what only they can know. Changes nothing. */
export async function gatherForCopy(fleet: Fleet, situation: Situation): Promise<Probes> {
  const { declaration, newcomer, primary, stagingDirectory } = situation;
  if (primary === null) return noProbes;
  const { address, nic, paths, port } = newcomer.declared;
  const { name: database, maintenanceUser, replicationUser } = declaration.database;
  const to = { host: primary.declared.address, port: primary.declared.port, database };
  const logins = [
    { ...to, user: replicationUser, replication: true, secret: "replication" as const },
    { ...to, user: maintenanceUser, replication: false, secret: "database" as const },
  ];
  const [target, loginAnswers, throughput, walRate] = await Promise.all([
    askIfThere(fleet, newcomer, "probe-target", {
      dataDirectory: paths.dataDirectory,
      stagingDirectory,
      port,
      address,
      directories: [stagingDirectory, oldDirectoryFor(paths.dataDirectory)],
      sharedPreloadLibraries: [],
      extensions: [],
      nic,
      trustAddresses: [],
    }),
    askIfThere(fleet, newcomer, "probe-logins", { logins }),
    measureThroughput(fleet, situation),
    askIfThere(fleet, primary, "measure-wal-rate", { windowMs: walWindowMs }),
  ]);
  return {
    ...noProbes,
    target,
    logins: loginAnswers,
    throughput: throughput.asked,
    throughputFrom: throughput.from,
    walRate,
  };
}
