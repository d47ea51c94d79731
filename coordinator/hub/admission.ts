import type { Store } from "../store/store.ts";
import type { Clock } from "#shared/time.ts";
import type { AgentLink } from "./agent-link.ts";
import { alertCause } from "./host-events.ts";
import type { Hub } from "./hub.ts";
import type { Refusals } from "./refusals.ts";

export type AdmissionPorts = {
  readonly hub: Hub;
  readonly refusals: Refusals;
  readonly store: Pick<Store, "raiseAlert">;
  readonly clock: Clock;
  readonly claimProbeMs: number;
};

/**
 * One agent speaks for a node. A newcomer of another instance waits until the present one has shown
 * whether it lives: if so, the newcomer is refused (two hosts claim one name); if not, the host was
 * rebooted or cut off, and the newcomer takes its place. The same instance simply reconnects.
 */
export async function admit(ports: AdmissionPorts, link: AgentLink): Promise<void> {
  const { hub, refusals, store, clock, claimProbeMs } = ports;
  const { node, instanceId } = link.hello;
  const present = hub.linkOf(node);
  if (present !== null) {
    if (present.hello.instanceId !== instanceId && (await present.answersPing(claimProbeMs))) {
      const reason = `another agent for ${node} is connected from ${present.address}`;
      refusals.record(node, link.address, reason);
      store.raiseAlert(
        {
          cause: alertCause(node, "claimed-twice"),
          severity: "critical",
          node,
          summary: `two agents claim to be ${node}`,
          detail: `${link.address} (instance ${instanceId}) was refused; ${present.address} (instance ${present.hello.instanceId}) stays`,
        },
        clock.now(),
      );
      link.close("alreadyConnected", reason);
      return;
    }
    if (hub.linkOf(node) === present) {
      hub.farewell(present, "replaced by a new connection of its node");
      present.terminate("replaced by a new connection of its node");
    }
  }
  if (!link.isOpen) return;
  // Somebody else may have come in while the ping was awaited.
  if (hub.linkOf(node) === null) hub.welcome(link);
  else await admit(ports, link);
}
