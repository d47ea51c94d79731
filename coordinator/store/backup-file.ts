import { createHash } from "node:crypto";
import * as z from "zod";
import { Failure } from "#shared/errors.ts";

/** One file of a backup, by its place below the state directory. */
export type BackupEntry = { readonly name: string; readonly bytes: Buffer };

const Head = z.strictObject({
  madeAt: z.number(),
  madeBy: z.string(),
  stateDirectory: z.string(),
  files: z.array(z.strictObject({ name: z.string(), bytes: z.int().nonnegative() })),
});
type Head = z.infer<typeof Head>;
export type Backup = Omit<Head, "files"> & { readonly entries: readonly BackupEntry[] };

const firstLine = "castellan-backup 1\n";
const hashBytes = 32;

/** What may stand in a backup: nothing else is ever written below a state directory. */
const allowedName =
  /^(?:journal\.db|certificate\.pem|key\.pem|settings\.yaml|clusters\/[A-Za-z][A-Za-z0-9_-]{0,62}\.yaml)$/;

/** A line that says what it is, a line of JSON, the files' bytes one after the other, the sha256 of all that. */
export function encodeBackup({ entries, ...head }: Backup): Buffer {
  const files = entries.map(({ name, bytes }) => ({ name, bytes: bytes.length }));
  const line = Buffer.from(`${JSON.stringify({ ...head, files } satisfies Head)}\n`);
  const body = Buffer.concat([Buffer.from(firstLine), line, ...entries.map(({ bytes }) => bytes)]);
  return Buffer.concat([body, createHash("sha256").update(body).digest()]);
}

export function isBackup(bytes: Buffer): boolean {
  return bytes.subarray(0, "castellan-backup ".length).toString("latin1") === "castellan-backup ";
}

/** @throws Failure STORE_UNUSABLE for what is cut, damaged or no backup; VERSION_MISMATCH for a newer format. */
export function decodeBackup(file: string, bytes: Buffer): Backup {
  const broken = (why: string): Failure =>
    new Failure("STORE_UNUSABLE", `The backup ${file} can't be used: ${why}.`, {
      hint: "take another backup; nothing was changed",
    });
  if (!isBackup(bytes)) throw broken("it is no backup of castellan");
  if (!bytes.subarray(0, firstLine.length).equals(Buffer.from(firstLine))) {
    throw new Failure("VERSION_MISMATCH", `The backup ${file} has another format.`, {
      hint: "restore it with the castellan that made it",
    });
  }
  const body = bytes.subarray(0, -hashBytes);
  const hash = createHash("sha256").update(body).digest();
  if (!hash.equals(bytes.subarray(-hashBytes))) {
    throw broken("it is cut or damaged (its checksum does not fit)");
  }
  const endOfHead = body.indexOf("\n", firstLine.length);
  const head = Head.safeParse(parseJson(body.toString("utf8", firstLine.length, endOfHead)));
  if (!head.success) throw broken("its head is against the schema");
  const { files, ...rest } = head.data;
  const entries: BackupEntry[] = [];
  let at = endOfHead + 1;
  for (const { name, bytes: length } of files) {
    if (!allowedName.test(name)) throw broken(`it holds ${JSON.stringify(name)}`);
    entries.push({ name, bytes: body.subarray(at, at + length) });
    at += length;
  }
  if (at !== body.length) throw broken("its files don't fill it");
  return { ...rest, entries };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
