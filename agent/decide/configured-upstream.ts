import { parseRecoveryConf, standbySettings } from "#shared/config-files/recovery-conf.ts";
import { settingsInFiles } from "#shared/config-files/server-conf-files.ts";
import type { DatabaseFacts, FileFacts } from "#shared/domain/facts.ts";
import { oncePer } from "./once-per.ts";

export type Upstream = {
  readonly host: string;
  readonly port: number;
  readonly slot: string | null;
};

/** By what the files say: a receiver that does not run tells nothing. The server's own order of precedence. */
export function configuredUpstream(
  { dataDirectory }: Pick<DatabaseFacts, "dataDirectory">,
  files: readonly FileFacts[],
): Upstream | null {
  const recovery = files.find(({ path }) => path === `${dataDirectory}/recovery.conf`);
  const found = [
    parseRecoveryConf(recovery?.maskedText ?? "").standby,
    standbySettings(serverSettings(files)),
  ].find(({ primaryConninfo }) => primaryConninfo !== null);
  const values = found?.primaryConninfo?.values;
  const host = values?.get("hostaddr") ?? values?.get("host");
  if (found === undefined || host === undefined) return null;
  return { host, port: Number(values?.get("port") ?? 5432), slot: found.primarySlotName };
}

/** Every look asks, and the files are hundreds of lines. */
const serverSettings = oncePer((files: readonly FileFacts[]) => {
  // The product names the server's own file first.
  const configFile = files.find(({ format }) => format === "server-conf")?.path ?? "";
  return settingsInFiles(configFile, files);
});
