import type { PlanStep } from "../../plan.ts";
import {
  maintenanceUpstream,
  noPreconditions,
  operationPlaceholder,
  type PlanContext,
  replicationUpstream,
} from "./common.ts";

/** The copy itself: a detached job on the new host, into a directory that nothing starts. */
export function copySteps(context: PlanContext, expectedBytes: number): readonly PlanStep[] {
  const { situation, source, primary } = context;
  const { newcomer, stagingDirectory, limits, request } = situation;
  const node = newcomer.declared;
  return [
    {
      id: `base-backup/${node.name}`,
      phase: "base-backup",
      title: `Copy the data of ${source.declared.name} to ${node.name} through slot ${node.slot}`,
      preview: [printBackup(context, node.slot)],
      on: node.name,
      kind: "base-backup",
      args: {
        source: replicationUpstream(context, source),
        slot: node.slot,
        // Positions are asked over SQL, which the replication role may not log in for.
        slotHolder: maintenanceUpstream(context, primary),
        stagingDirectory,
        dataDirectory: node.paths.dataDirectory,
        tablespaces: situation.tablespaces.map(({ from, to }) => ({ from, to })),
        maxRateBytesPerSecond: request.maxRateBytesPerSecond,
        expectedBytes,
        stallMs: limits.stallMs,
        systemIdentifier: context.systemIdentifier,
      },
      preconditions: noPreconditions,
    },
  ];
}

/** The command line without its secrets: the password comes from a file of mode 0600. */
export function printBackup({ situation, source }: PlanContext, slot: string | null): string {
  const { newcomer, product, request, tablespaces, stagingDirectory, declaration } = situation;
  const { paths } = newcomer.declared;
  const rate = request.maxRateBytesPerSecond;
  const where = ["-h", source.declared.address, "-p", String(source.declared.port)];
  const how = [
    "-F",
    "p",
    "-X",
    "stream",
    ...(slot === null ? [] : ["-S", slot]),
    "-c",
    "fast",
    "-l",
    `'castellan ${operationPlaceholder}'`,
  ];
  const words = [
    `${paths.binDirectory}/${product.programs.baseBackup}`,
    ...where,
    "-U",
    declaration.database.replicationUser,
    "-w",
    "-D",
    stagingDirectory,
    ...how,
    "-P",
    "-v",
    ...(rate === null ? [] : ["-r", String(kilobytes(rate))]),
    ...tablespaces.flatMap(({ from, to }) => ["-T", `${from}=${to}`]),
  ];
  return words.join(" ");
}

/** The programs take 32 kB to 1 GB a second. */
function kilobytes(bytesPerSecond: number): number {
  return Math.min(1_048_576, Math.max(32, Math.floor(bytesPerSecond / 1024)));
}
