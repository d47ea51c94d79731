import { severities } from "../../fleet/severity.ts";
import type { AlertRecord } from "../../store/store.ts";

/** The worst first; what is as bad as each other stays in its order. */
export function bySeverity<T extends Pick<AlertRecord, "severity">>(
  items: readonly T[],
): readonly T[] {
  return items.toSorted((a, b) => severities.indexOf(b.severity) - severities.indexOf(a.severity));
}
