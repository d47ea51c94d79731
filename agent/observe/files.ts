import type { FileFacts, FileFormat } from "#shared/domain/facts.ts";
import { asFailure } from "#shared/errors.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { fileSignature, sameSignature, type FileSignature } from "../adapters/local-system.ts";
import type { Ports } from "../ports.ts";

export type WatchedFile = { readonly path: string; readonly format: FileFormat };

export type FileObserver = {
  readonly watched: readonly WatchedFile[];
  /** Read only if its status moved since the last read, or `again`. The same object while nothing changed. */
  look(file: WatchedFile, options?: { readonly again?: boolean }): Promise<FileFacts>;
  /** As last looked at, or looked at now; the same array while nothing changed. */
  observe(options: { readonly now: boolean }): Promise<readonly FileFacts[]>;
};

type Look = {
  readonly signature: FileSignature | null;
  readonly lookedAt: number;
  readonly facts: FileFacts;
};

/** Two writes within the file system's clock tick leave the same times: a look this soon after a write isn't trusted. */
const settledMs = 100;

export function createFileObserver(
  ports: Pick<Ports, "settings" | "product" | "clock" | "files">,
): FileObserver {
  const watched = ports.product.watchedFiles(ports.settings.paths, ports.settings.pool);
  const looks = new Map<string, Look>();
  let all: readonly FileFacts[] = [];

  async function look(
    file: WatchedFile,
    options: { readonly again?: boolean } = {},
  ): Promise<FileFacts> {
    const signature = await fileSignature(file.path);
    const before = looks.get(file.path);
    const isSettled =
      before !== undefined &&
      (signature === null ||
        before.lookedAt - Number(signature.changedNs / 1_000_000n) > settledMs);
    if (isSettled && options.again !== true && sameSignature(before.signature, signature)) {
      return before.facts;
    }
    const lookedAt = ports.clock.now();
    const seen = await read(ports, file, signature);
    // Asked for again: the watch and the observers look side by side.
    const known = looks.get(file.path)?.facts;
    const facts = JSON.stringify(known) === JSON.stringify(seen) && known ? known : seen;
    looks.set(file.path, { signature, lookedAt, facts });
    return facts;
  }

  return {
    watched,
    look,
    observe: async ({ now }) => {
      const found: FileFacts[] = [];
      for (const file of watched) {
        const before = now ? undefined : looks.get(file.path);
        found.push(before?.facts ?? (await look(file)));
      }
      const isSame = found.length === all.length && found.every((facts, i) => facts === all[i]);
      if (!isSame) all = found;
      return all;
    },
  };
}

async function read(
  ports: Pick<Ports, "settings" | "files">,
  { path, format }: WatchedFile,
  signature: FileSignature | null,
): Promise<FileFacts> {
  const nothing: FileFacts = {
    path,
    format,
    state: "absent",
    hash: null,
    owner: null,
    mode: null,
    modifiedAt: null,
    maskedText: null,
  };
  if (signature === null) return nothing;
  if (signature.kind !== "file") return { ...nothing, state: "not-a-file" };
  if (signature.size > BigInt(ports.settings.limits.watchedFileBytes)) {
    return { ...nothing, state: "too-large" };
  }
  try {
    const file = await ports.files.read(path);
    if (file === null) return nothing;
    return {
      path,
      format,
      state: "present",
      hash: file.hash,
      owner: `${file.uid}:${file.gid}`,
      mode: file.mode & 0o7777,
      modifiedAt: Math.round(file.modifiedAt),
      maskedText: maskedText(format, file.text),
    };
  } catch (error) {
    // Anything but "too large" (it grew meanwhile) is a file that this user may not read.
    const isTooLarge = /too large/i.test(asFailure(error).message);
    return { ...nothing, state: isTooLarge ? "too-large" : "unreadable" };
  }
}

/** How each format's secrets look to the masker; null where the content never leaves this host. */
const maskers: Readonly<Record<FileFormat, string | null>> = {
  "server-conf": "server-conf",
  "auto-conf": "server-conf",
  "recovery-conf": "recovery-conf",
  hba: "hba",
  ident: "other",
  "ha-module": "ha-module",
  "pool-conf": "pool-conf",
  "pool-hba": "hba",
  "pool-passwd": null,
  "pcp-conf": null,
  cron: "cron",
  pass: null,
  signal: "other",
};

function maskedText(format: FileFormat, text: string): string | null {
  const masker = maskers[format];
  return masker === null ? null : maskSecrets(masker, text);
}
