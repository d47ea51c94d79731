import type { FileFacts, FileFormat } from "../domain/facts.ts";
import { parseCron } from "./cron-lines.ts";
import { parseHaModule } from "./ha-module.ts";
import { parseHba } from "./hba.ts";
import { parsePoolConf } from "./pool-conf.ts";
import { parseRecoveryConf } from "./recovery-conf.ts";
import { parseServerConf } from "./server-conf.ts";
import type { Complaint } from "./text-file.ts";

const parsers: Readonly<
  Record<FileFormat, ((text: string, file: string) => readonly Complaint[]) | null>
> = {
  "server-conf": (text, file) => parseServerConf(text, file).complaints,
  "auto-conf": (text, file) => parseServerConf(text, file).complaints,
  "recovery-conf": (text, file) => parseRecoveryConf(text, file).complaints,
  hba: (text, file) => parseHba(text, { file }).complaints,
  ident: null,
  "ha-module": (text, file) => parseHaModule(text, file).complaints,
  "pool-conf": (text, file) => parsePoolConf(text, file).conf.complaints,
  "pool-hba": (text, file) => parseHba(text, { file }).complaints,
  "pool-passwd": null,
  "pcp-conf": null,
  cron: (text, file) => parseCron(text, file).complaints,
  pass: null,
  signal: null,
};

/** What is wrong in a file that was not wrong before: nobody is told of what a site has lived with for years. */
export function newComplaints(
  file: Pick<FileFacts, "path" | "format" | "maskedText">,
  textBefore: string | null,
): readonly Complaint[] {
  const parse = parsers[file.format];
  if (parse === null || file.maskedText === null) return [];
  const known = new Set(
    (textBefore === null ? [] : parse(textBefore, file.path)).map((c) => c.message),
  );
  return parse(file.maskedText, file.path).filter(({ message }) => !known.has(message));
}
