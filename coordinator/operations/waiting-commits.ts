import { hasSyncName, parseSyncList, requiredStandbys } from "#shared/domain/sync-list.ts";
import { setting, type KnownNode } from "./add-node/situation.ts";

/** What commits on the primary would wait for if this standby went; null where they go on, or wait already. */
export function waitingWithout(standby: string, primary: KnownNode | null): string | null {
  const value = setting(primary, "synchronous_standby_names") ?? "";
  const list = parseSyncList(value);
  const streaming = (primary?.facts?.database.replication ?? [])
    .filter(
      ({ state, applicationName }) => state === "streaming" && hasSyncName(list, applicationName),
    ) // prettier-ignore
    .map(({ applicationName }) => applicationName);
  const left = streaming.filter((name) => name !== standby).length;
  if (!streaming.includes(standby) || left >= (requiredStandbys(value) ?? 0)) return null;
  return `without ${standby} commits would wait: synchronous_standby_names = '${value}', ${left} other of it streams`;
}
