import type { FileFacts, FileFormat } from "../domain/facts.ts";
import { parseCron } from "./cron-lines.ts";
import { parseHaModule } from "./ha-module.ts";
import { parseHba } from "./hba.ts";
import { haKeyComplaints, recoveryKeyComplaints, serverKeyComplaints } from "./key-complaints.ts";
import { parsePoolConf } from "./pool-conf.ts";
import { parseRecoveryConf } from "./recovery-conf.ts";
import { parseServerConf } from "./server-conf.ts";
import type { Complaint } from "./text-file.ts";

const parsers: Readonly<
  Record<FileFormat, ((text: string, file: string) => readonly Complaint[]) | null>
> = {
  "server-conf": serverComplaints,
  "auto-conf": serverComplaints,
  "recovery-conf": (text, file) => {
    const { conf, complaints } = parseRecoveryConf(text, file);
    return [...complaints, ...recoveryKeyComplaints(conf)];
  },
  hba: (text, file) => parseHba(text, { file }).complaints,
  ident: null,
  "ha-module": (text, file) => {
    const module = parseHaModule(text, file);
    return [...module.complaints, ...haKeyComplaints(module)];
  },
  "pool-conf": (text, file) => {
    const { conf } = parsePoolConf(text, file);
    return [...conf.complaints, ...serverKeyComplaints(conf)];
  },
  "pool-hba": (text, file) => parseHba(text, { file }).complaints,
  "pool-passwd": null,
  "pcp-conf": null,
  cron: (text, file) => parseCron(text, file).complaints,
  pass: null,
  signal: null,
};

function serverComplaints(text: string, file: string): readonly Complaint[] {
  const conf = parseServerConf(text, file);
  return [...conf.complaints, ...serverKeyComplaints(conf)];
}

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
