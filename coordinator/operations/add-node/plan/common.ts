import type { Preconditions, Upstream } from "#shared/domain/commands.ts";
import type { KnownNode, Situation } from "../situation.ts";

/** What a plan needs and preflight has made sure of. */
export type PlanContext = {
  readonly situation: Situation;
  readonly primary: KnownNode;
  readonly source: KnownNode;
  readonly systemIdentifier: string;
};

/** Where the database isn't there yet nothing can be checked of it. */
export const noPreconditions: Preconditions = {
  systemIdentifier: null,
  role: null,
  timeline: null,
};

/** The cluster that was planned for, in whatever role the node has now. */
export function sameCluster(context: PlanContext): Preconditions {
  return { ...noPreconditions, systemIdentifier: context.systemIdentifier };
}

/** The very primary that was planned for: after a failover the timeline is another one. */
export function samePrimary(context: PlanContext): Preconditions {
  return {
    systemIdentifier: context.systemIdentifier,
    role: "primary",
    timeline: context.primary.facts?.database.timeline ?? null,
  };
}

export function stillStandby(context: PlanContext): Preconditions {
  return { ...sameCluster(context), role: "standby" };
}

export function replicationUpstream(context: PlanContext, node: KnownNode): Upstream {
  const { database } = context.situation.declaration;
  return upstream(node, database.replicationUser, database.name);
}

export function maintenanceUpstream(context: PlanContext, node: KnownNode): Upstream {
  const { database } = context.situation.declaration;
  return upstream(node, database.maintenanceUser, database.name);
}

function upstream(node: KnownNode, user: string, database: string): Upstream {
  const { name, address, port } = node.declared;
  return { node: name, host: address, port, user, database };
}

/** A multi-line text as preview lines. */
export function linesOf(text: string): readonly string[] {
  return text === "" ? [] : text.trimEnd().split("\n");
}

/** Stands in previews for the operation's id, which is not known before it starts. */
export const operationPlaceholder = "OPERATION";
