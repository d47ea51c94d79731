import { effective, parseServerConf } from "#shared/config-files/server-conf.ts";
import { standbySettings } from "#shared/config-files/recovery-conf.ts";
import type { FileFacts, FileFormat } from "#shared/domain/facts.ts";

/** Can `primary_conninfo` stand in it? */
export function namesPasswordFiles(format: FileFormat): boolean {
  return ["server-conf", "auto-conf", "recovery-conf"].includes(format);
}

/** The `passfile=` of its `primary_conninfo`: it is shown, as it is a path and no secret. */
export function namedPasswordFiles(file: FileFacts | undefined): readonly string[] {
  if (file === undefined || file.maskedText === null || !namesPasswordFiles(file.format)) return [];
  const { primaryConninfo } = standbySettings(effective(parseServerConf(file.maskedText)));
  const path = primaryConninfo?.values.get("passfile");
  return path?.startsWith("/") === true ? [path] : [];
}
