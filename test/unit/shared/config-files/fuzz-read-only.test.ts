import { formatOfPath } from "#shared/config-files/file-format.ts";
import { parsePasswordHashes } from "#shared/config-files/password-hashes.ts";
import { parsePcpPass } from "#shared/config-files/pcp-pass.ts";
import { parsePoolStatus } from "#shared/config-files/pool-status.ts";
import { type Complaint, printLines, splitLines } from "#shared/config-files/text-file.ts";
import { fuzzFormat } from "./fuzz-format.ts";

/** Formats that we never edit: their bytes are kept by the lines alone. */
function readOnly(sample: string, complaintsOf: (text: string) => readonly Complaint[]): void {
  fuzzFormat({
    format: formatOfPath(sample),
    samples: [sample],
    reprint: (text) => ({ text: printLines(splitLines(text)), complaints: complaintsOf(text) }),
    edits: [],
  });
}

readOnly("kes/cluster_passwd", (text) => parsePasswordHashes(text, "cluster_passwd").complaints);
readOnly("kes/pcppass", (text) => parsePcpPass(text).complaints);
readOnly("kes/kingbasecluster_status", (text) => parsePoolStatus(text).complaints);
readOnly("kes/kbpass", () => []);
readOnly("kes/ident.conf", () => []);
