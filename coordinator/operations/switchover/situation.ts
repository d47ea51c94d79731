import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import type { BackendRow } from "#shared/domain/commands.ts";
import type { KnownNode } from "../add-node/situation.ts";

/** All that checks and planner look at: plain data, the same input gives the same plan. */
export type SwitchoverSituation = {
  readonly declaration: ClusterDeclaration;
  readonly nodes: readonly KnownNode[];
  /** Those whose database says that it is a primary; one in a healthy cluster. */
  readonly primaries: readonly KnownNode[];
  /** The name that was asked for, and the node of that name. */
  readonly to: string;
  readonly successor: KnownNode | null;
  readonly lagLimitBytes: number;
  readonly stallMs: number;
  readonly holdMs: number;
};

export function managersOf({ nodes }: Pick<SwitchoverSituation, "nodes">): readonly KnownNode[] {
  return nodes.filter(({ declared }) => declared.pool !== null);
}

/** Its row as the pools run with it; null where none has it. */
export function rowOf(
  { declared }: KnownNode,
  situation: Pick<SwitchoverSituation, "nodes">,
): BackendRow | null {
  const rows = managersOf(situation).flatMap(({ facts }) => facts?.pool?.rows ?? []);
  const row = rows.find(({ hostname, port }) => hostname === declared.address && port === declared.port); // prettier-ignore
  if (row === undefined) return null;
  const { id, hostname, port, weight } = row;
  return {
    id,
    hostname,
    port,
    weight,
    dataDirectory: declared.paths.dataDirectory,
    applicationName: declared.name,
  };
}
