import { type Complaint, splitLines } from "./text-file.ts";

/** .pcppass: who may log in where. The password itself is never kept, only whether there is one. */
export type PcpPass = {
  readonly entries: readonly PcpPassEntry[];
  readonly complaints: readonly Complaint[];
};

type PcpPassEntry = {
  /** `*` stands for every host; the same for port and user. */
  readonly host: string;
  readonly port: string;
  readonly user: string;
  readonly hasPassword: boolean;
  readonly line: number;
};

/** `localhost:9898:kingbase:secret` gives host, port and user. `\:` and `\\` are escapes, as in .pgpass. */
export function parsePcpPass(text: string, file = ""): PcpPass {
  const entries: PcpPassEntry[] = [];
  const complaints: Complaint[] = [];
  for (const line of splitLines(text)) {
    if (line.text === "" || line.text.startsWith("#")) continue;
    const [host, port, user, password, ...more] = splitFields(line.text);
    if (host === undefined || port === undefined || user === undefined || password === undefined) {
      const message = "this is no entry";
      const hint = "Write HOST:PORT:USER:PASSWORD.";
      complaints.push({ file, line: line.number, column: 1, message, hint });
      continue;
    }
    const hasPassword = password !== "" || more.length > 0;
    entries.push({ host, port, user, hasPassword, line: line.number });
  }
  return { entries, complaints };
}

function splitFields(line: string): readonly string[] {
  const fields: string[] = [];
  let field: string[] = [];
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at] ?? "";
    if (char === "\\" && at + 1 < line.length) {
      at += 1;
      field.push(line[at] ?? "");
    } else if (char === ":") {
      fields.push(field.join(""));
      field = [];
    } else {
      field.push(char);
    }
  }
  return [...fields, field.join("")];
}
