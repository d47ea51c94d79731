import type { PlanStep } from "../../plan.ts";
import { printBytes } from "../print-units.ts";
import { maintenanceUpstream, noPreconditions, type PlanContext, stillStandby } from "./common.ts";
import { slotsOnNewcomer } from "./slot-steps.ts";

/** The new node runs, streams, and holds the same data. */
export function startSteps(context: PlanContext): readonly PlanStep[] {
  const { situation, primary } = context;
  const { limits, request, newcomer, product } = situation;
  const node = newcomer.declared;
  const { dataDirectory } = node.paths;
  const mode = newcomer.facts?.agent.startMode ?? "ctl";
  const program = `${node.paths.binDirectory}/${product.programs.ctl}`;
  return [
    {
      id: `start-database/${node.name}`,
      phase: "start",
      title: `Start the database of ${node.name} and wait until it is consistent`,
      preview: [
        mode === "ctl"
          ? `${program} start -w -D ${dataDirectory}`
          : "systemctl start (the unit named in agent.yaml)",
      ],
      on: node.name,
      kind: "start-database",
      args: { dataDirectory, stallMs: limits.stallMs },
      preconditions: noPreconditions,
    },
    {
      id: `prove-streaming/${node.name}`,
      phase: "start",
      title: `See ${node.name} stream from ${primary.declared.name} through ${node.slot}`,
      preview: [
        `upstream ${primary.declared.address}:${primary.declared.port}, application_name ${node.name}, ` +
          `slot ${node.slot} active, at most ${printBytes(limits.lagLimitBytes)} behind`,
      ],
      on: node.name,
      kind: "prove-streaming",
      args: {
        upstream: maintenanceUpstream(context, primary),
        applicationName: node.name,
        slot: node.slot,
        lagLimitBytes: limits.lagLimitBytes,
        stallMs: limits.stallMs,
      },
      preconditions: stillStandby(context),
    },
    ...slotsOnNewcomer(context),
    {
      id: `verify-data/${node.name}`,
      phase: "verify",
      title: verifyTitle(request.verify, node.name, primary.declared.name),
      preview: [`compare by ${request.verify}, the ${limits.verifyTables} largest tables first`],
      on: node.name,
      kind: "verify-data",
      args: {
        upstream: maintenanceUpstream(context, primary),
        level: request.verify,
        maxTables: limits.verifyTables,
        stallMs: limits.stallMs,
      },
      preconditions: stillStandby(context),
    },
  ];
}

function verifyTitle(level: "none" | "counts" | "content", node: string, primary: string): string {
  switch (level) {
    case "none":
      return `See ${node} replay past the position that ${primary} has now`;
    case "counts":
      return `See the same number of rows on ${node} as on ${primary}`;
    case "content":
      return `See the same rows on ${node} as on ${primary}`;
  }
}
