import type { PeerSight } from "#shared/domain/cluster-view.ts";
import { Failure } from "#shared/errors.ts";
import type { Pcp } from "../adapters/pcp.ts";
import type { PcpNode } from "../adapters/pcp-output.ts";
import type { Commits } from "../decide/commits.ts";
import { primariesSeen } from "../decide/pool-rows.ts";
import type { GuardView } from "../decide/view.ts";
import type { StepContext } from "../ports.ts";
import type { PoolControl } from "../steps/pool-door.ts";
import { watchProgress } from "../steps/watch-progress.ts";
import { lookAtPeer, type DeclaredNode } from "./look-at-peer.ts";
import { lookAtPool } from "./look-at-pool.ts";
import type { GuardStepContext } from "./steps/step.ts";

const limits = { stallMs: 3_000, everyMs: 5 };

export function declaredRow({ cluster }: GuardView, id: number): DeclaredNode {
  const found = cluster?.nodes.find(({ backendId }) => backendId === id);
  if (found !== undefined) return found;
  throw new Failure("REFUSED", `no declared node is backend ${id}`);
}

/** Only there an attach or detach acts on every pool. */
export function leads({ acts }: PoolControl): void {
  if (!acts) throw new Failure("REFUSED", "another host's pool leads now");
}

/** The primary and this node as they are now: what the finding rests on may be seconds old. */
export async function lookAgain(
  node: DeclaredNode,
  context: GuardStepContext,
): Promise<{ readonly seen: readonly PeerSight[]; readonly primary: Commits }> {
  const { view } = context;
  const { cluster } = view;
  const [primary] = primariesSeen(view);
  if (cluster === null || primary === undefined) throw new Failure("REFUSED", "no primary is seen");
  const both = cluster.nodes.filter(({ name }) => name === node.name || name === primary.name);
  const looks = await Promise.all(both.map((one) => lookAtPeer(context, cluster, one)));
  const seen = looks.map((sight) => ({
    ...sight,
    // Where SQL does not tell it, it costs another session: it does not change.
    systemIdentifier: sight.systemIdentifier ?? knownIdentifier(sight.node, view),
  }));
  const now = seen.find(({ node: name }) => name === primary.name);
  if (now?.database !== "primary")
    throw new Failure("REFUSED", `${primary.name} is no primary any more`);
  return { seen, primary: { ...now, names: now.synchronousStandbyNames ?? "" } };
}

/** The row as the running pool has it, once it is as wanted. @throws where it is another backend */
export function awaitRow(
  pcp: Pcp,
  { backendId, name, address, port }: DeclaredNode,
  context: Pick<StepContext, "clock" | "signal">,
  isWanted: (row: PcpNode) => boolean,
): Promise<PcpNode> {
  return watchProgress(context, { ...limits, what: `backend ${backendId} (${name})` }, async () => {
    const row = await pcp.node(backendId ?? -1);
    if (row?.hostname !== address || row.port !== port) {
      throw new Failure("REFUSED", `backend ${backendId} of the running pool is not ${address}:${port}`); // prettier-ignore
    }
    return isWanted(row)
      ? { state: "done", value: row }
      : { state: "waiting", token: row.status, missing: `the pool shows it ${row.status}` };
  });
}

/**
 * The watchdog passes on to the other pools what the leading one did. One that can't be asked is not waited for: whoever
 * rests on its row asks it again.
 */
export async function awaitOtherPools(
  { backendId, name }: DeclaredNode,
  context: GuardStepContext,
  isWanted: (status: string) => boolean,
): Promise<void> {
  const { cluster, node: own } = context.view;
  if (cluster === null) return;
  const others = cluster.nodes.filter((place) => place.pool !== null && place.name !== own);
  await Promise.all(
    others.map((place) =>
      watchProgress(
        context,
        { stallMs: 10_000, everyMs: 100, what: `backend ${backendId} (${name})` },
        async () => {
          const pool = await lookAtPool(context, cluster, place, place.pool?.port ?? 0);
          const status = pool.rows.find(({ id }) => id === backendId)?.status ?? pool.status;
          return status === "refused" || status === "silent" || isWanted(status)
            ? { state: "done", value: null }
            : { state: "waiting", token: status, missing: `the pool of ${place.name} shows it ${status}` }; // prettier-ignore
        },
      ),
    ),
  );
}

function knownIdentifier(node: string, { node: own, facts, peers }: GuardView): string | null {
  if (node === own) return facts.database.systemIdentifier;
  return peers.find((peer) => peer.node === node)?.systemIdentifier ?? null;
}
