import { killed, type Bed } from "./bed.ts";
import { addNode } from "./operation.ts";
import { untilStopped } from "./stopped.ts";
import { coordinatorName, type Strike } from "./strike.ts";

/**
 * The victim's whole host loses its power at the point, boots, and everything that lies there is started: by an init
 * system, by a person, whether it is ready for that or not. @throws Error when that opens as a primary
 */
export async function powerCycle(bed: Bed, { process, point, occurrence }: Strike): Promise<void> {
  const host = bed.lab.host(process === coordinatorName ? "coord" : process);
  await bed.begin({ [process]: { CASTELLAN_STOP_AT: `${point}@${occurrence}` } });
  const asking = addNode(bed).catch(() => undefined);
  await untilStopped(bed.process(process), point);
  // Silence first; and what has stopped itself would keep its host from ending.
  await host.cutLink();
  await killed(bed.process(process));
  await host.powerOff();
  await bed.boot(host.name);
  if (process === bed.newNode.name) await startWhatIsThere(bed);
  await bed.launch(process);
  await asking;
}

async function startWhatIsThere({ cluster, newNode }: Bed): Promise<void> {
  const { name, host, paths } = newNode;
  if (!host.exists(`${paths.dataDir}/PG_VERSION`)) return;
  const started = await cluster.start(name).then(
    () => true,
    () => false,
  );
  if (!started) return;
  const [row] = await cluster.sql(name, "SELECT pg_is_in_recovery() AS standby");
  if (row?.["standby"] !== true) throw new Error(`${paths.dataDir} opened as a primary`);
  await cluster.stop(name);
  // Its own log, which none of ours knows of.
  await host.exec(["rm", "-f", paths.logFile]);
}
