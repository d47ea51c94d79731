import type { NodeFacts } from "#shared/domain/facts.ts";
import type { HostEvent } from "../host-event.ts";
import type { ObserverPorts } from "../observe/observer.ts";
import type { PeriodicCheck } from "../schedule.ts";
import { withAlerts } from "./check-alerts.ts";
import { clockCheck } from "./clock-check.ts";
import { diskCheck } from "./disk-check.ts";
import { licenceCheck } from "./licence-check.ts";
import { siteChecks } from "./site-check.ts";
import { trustCheck } from "./trust-check.ts";
import { vipCheck } from "./vip-check.ts";

export type ChecksOptions = {
  readonly ports: ObserverPorts;
  /** The latest look; null before the first. */
  readonly facts: () => NodeFacts | null;
  /** The coordinator's clock, from this host's; null while nobody knows. */
  readonly coordinatorAheadMs: () => number | null;
  readonly onHostEvent: (event: HostEvent) => void;
};

/** The periodic checks that look at something of their own: the built-in ones, then the site's. */
export function createChecks({
  ports,
  facts,
  coordinatorAheadMs,
  onHostEvent,
}: ChecksOptions): readonly PeriodicCheck[] {
  const licence = licenceCheck(ports);
  const checks = [
    diskCheck(ports, () => facts()?.database ?? null),
    trustCheck(
      ports,
      () => ports.clusterView.current()?.trustAddresses ?? [],
      () => facts()?.files ?? [],
    ),
    ...(licence === null ? [] : [licence]),
    clockCheck(ports, coordinatorAheadMs),
    vipCheck(ports, () => facts()?.host ?? null),
    ...siteChecks(ports),
  ];
  return withAlerts(checks, ports, onHostEvent);
}
