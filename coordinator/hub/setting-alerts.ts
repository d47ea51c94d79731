import type { FileSetting } from "#shared/domain/facts.ts";
import type { AlertInput, AlertRecord } from "../store/store.ts";
import { alertCause } from "./host-events.ts";

const mostAlerts = 50;

/** Not what a file overrules: the alert of the edit that wrote it says so, and `drift list`. */
type Waiting = FileSetting & { readonly state: Exclude<FileSetting["state"], "overruled"> };

/** Of settings that stand in a file and are not in force, one alert each: `raise` is not told yet, `over` in force again. */
export function settingAlerts(
  node: string,
  settings: readonly FileSetting[],
  standing: readonly AlertRecord[],
): { readonly raise: readonly AlertInput[]; readonly over: readonly string[] } {
  const wanted = new Map(
    settings
      .filter(isWaiting)
      .slice(0, mostAlerts)
      .map((setting) => [alertCause(node, `setting:${setting.name}`), alertOf(node, setting)]),
  );
  const mine = alertCause(node, "setting:");
  const told = new Map(
    standing.filter(({ cause }) => cause.startsWith(mine)).map((alert) => [alert.cause, alert]),
  );
  return {
    raise: [...wanted].flatMap(([cause, alert]) => {
      const known = told.get(cause);
      const isTold = known?.detail === alert.detail && known.severity === alert.severity;
      return isTold ? [] : [alert];
    }),
    over: [...told.keys()].filter((cause) => !wanted.has(cause)),
  };
}

function isWaiting(setting: FileSetting): setting is Waiting {
  return setting.state !== "overruled";
}

function alertOf(node: string, setting: Waiting): AlertInput {
  const { name, file, line, inFile, inForce } = setting;
  const { severity, says, fix } = wordsOf(setting);
  return {
    cause: alertCause(node, `setting:${name}`),
    severity,
    node,
    summary: `${name} ${says} (${file}:${line})`,
    detail: [
      inFile === null ? `taken out of ${file}` : `${file}:${line}: ${inFile}`,
      `in force: ${inForce ?? "nothing"}`,
    ].join("\n"),
    file,
    line,
    fix,
  };
}

function wordsOf({ state, file, line }: Waiting): {
  readonly severity: AlertRecord["severity"];
  readonly says: string;
  readonly fix: string;
} {
  switch (state) {
    case "broken":
      return {
        severity: "critical",
        says: "is refused by the server",
        fix: `Mend ${file}:${line}: until then no reload takes effect, and the server may not start.`,
      };
    case "waits-for-restart":
      return {
        severity: "warning",
        says: "waits for a restart",
        fix: "Restart the server when that suits, or put the file back: castellan drift revert.",
      };
    case "waits-for-reload":
      return {
        severity: "warning",
        says: "waits for a reload",
        fix: "Reload the server, or put the file back: castellan drift revert.",
      };
  }
}
