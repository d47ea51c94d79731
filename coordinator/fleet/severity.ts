/** Mildest first. */
export const severities = ["info", "warning", "critical"] as const;
export type Severity = (typeof severities)[number];

export type AlertCounts = Readonly<Record<Severity, number>>;

export function countAlerts(alerts: readonly { readonly severity: Severity }[]): AlertCounts {
  const count = (wanted: Severity): number =>
    alerts.filter(({ severity }) => severity === wanted).length;
  return { info: count("info"), warning: count("warning"), critical: count("critical") };
}
