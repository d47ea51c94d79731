import { unreadHash, type FileFacts, type FileFormat } from "#shared/domain/facts.ts";
import { asFailure } from "#shared/errors.ts";
import { formatOfKind } from "#shared/config-files/file-format.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import type { IncludedFile } from "#shared/config-files/server-conf-files.ts";
import { fileSignature, sameSignature, type FileSignature } from "../adapters/local-system.ts";
import { userNameOf } from "../adapters/user-names.ts";
import type { FileAttributes, Ports } from "../ports.ts";
import { passwordNotes } from "./password-notes.ts";
import { includedFiles } from "./included-files.ts";
import { namedPasswordFiles, namesPasswordFiles } from "./named-password-files.ts";

export type WatchedFile = {
  readonly path: string;
  readonly format: FileFormat;
  /** How the server's configuration draws it in; none for a file that the product has by itself. */
  readonly origin?: IncludedFile["origin"] | undefined;
};

export type FileObserver = {
  /** Grows with what the server's configuration includes; what was once part of it stays. */
  watched(): readonly WatchedFile[];
  /** Directories of `include_dir`. */
  includeDirectories(): readonly string[];
  /** Whether the configuration includes more than is watched, by what was last looked at. */
  discover(options?: { readonly again?: boolean }): Promise<void>;
  /** Does it include more than `limits.includedFiles`? */
  isCut(): boolean;
  /** Included files that an earlier process knew. */
  remember(files: readonly IncludedFile[]): void;
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

type FilePorts = Pick<Ports, "settings" | "product" | "home" | "clock" | "files" | "log">;

/** Two writes within the file system's clock tick leave the same times: a look this soon after a write isn't trusted. */
const settledMs = 100;

export function createFileObserver(ports: FilePorts): FileObserver {
  const { paths, pool, limits } = ports.settings;
  const watched: WatchedFile[] = [...ports.product.watchedFiles(paths, pool, ports.home)];
  const looks = new Map<string, Look>();
  /** Of files that have not answered yet. */
  const unseen = new Map<string, FileFacts>();
  let directories: readonly string[] = [];
  let isCut = false;
  /** What the last discovery went by. */
  let basis: readonly unknown[] = [];
  let all: readonly FileFacts[] = [];

  async function look(
    file: WatchedFile,
    options: { readonly again?: boolean } = {},
  ): Promise<FileFacts> {
    try {
      return await lookNow(file, options);
    } catch (error) {
      if (asFailure(error).code !== "STALLED") throw error;
      // What does not answer has not changed as far as anybody knows.
      const known = looks.get(file.path)?.facts ?? unseen.get(file.path);
      if (known !== undefined) return known;
      const facts: FileFacts = { ...nothingOf(file), state: "unreadable" };
      unseen.set(file.path, facts);
      return facts;
    }
  }

  async function lookNow(
    file: WatchedFile,
    options: { readonly again?: boolean },
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
    const seen = await read(ports, file, signature, before?.facts);
    // Asked for again: the watch and the observers look side by side.
    const known = looks.get(file.path)?.facts;
    const facts = JSON.stringify(known) === JSON.stringify(seen) && known ? known : seen;
    looks.set(file.path, { signature, lookedAt, facts });
    return facts;
  }

  function add(files: readonly IncludedFile[]): void {
    const known = new Set(watched.map(({ path }) => path));
    const fresh = files
      .filter(({ path }) => !known.has(path))
      .slice(0, Math.max(0, limits.includedFiles - watched.filter((file) => file.origin).length))
      .map(({ path, origin }): WatchedFile => ({ path, format: "server-conf", origin }));
    watched.push(...fresh);
  }

  async function discover({ again = false } = {}): Promise<void> {
    const now = await basisNow();
    if (!again && now.length === basis.length && now.every((one, at) => one === basis[at])) return;
    // Taken before the look: what comes meanwhile is found by the next one.
    basis = now;
    const found = await includedFiles(
      paths.configFile,
      limits.includedFiles,
      async (file) => looks.get(file.path)?.facts ?? look({ ...file, format: "server-conf" }),
    );
    directories = found.folders;
    isCut = found.isCut;
    add(found.included);
    const known = new Set(watched.map(({ path }) => path));
    const named = watched.flatMap(({ path }) => namedPasswordFiles(looks.get(path)?.facts));
    for (const path of new Set(named)) if (!known.has(path)) watched.push({ path, format: "pass" });
  }

  async function basisNow(): Promise<readonly unknown[]> {
    const confs = watched.filter(({ format }) => namesPasswordFiles(format));
    const folders = await Promise.all(
      directories.map((directory) => fileSignature(directory).catch(() => null)),
    );
    return [
      ...confs.map(({ path }) => looks.get(path)?.facts),
      ...folders.map((folder) => folder?.changedNs),
    ];
  }

  return {
    watched: () => watched,
    includeDirectories: () => directories,
    discover,
    isCut: () => isCut,
    remember: add,
    look,
    observe: async ({ now }) => {
      if (now) for (const file of [...watched]) await look(file);
      if (now || basis.length === 0) await discover();
      const found: FileFacts[] = [];
      for (const file of watched) found.push(looks.get(file.path)?.facts ?? (await look(file)));
      const isSame = found.length === all.length && found.every((facts, i) => facts === all[i]);
      if (!isSame) all = found;
      return all;
    },
  };
}

async function read(
  ports: Pick<Ports, "settings" | "files" | "log">,
  { path, format, origin }: WatchedFile,
  signature: FileSignature | null,
  before: FileFacts | undefined,
): Promise<FileFacts> {
  const nothing = nothingOf({ path, format, origin });
  if (signature === null) return nothing;
  if (signature.kind !== "file") return { ...nothing, state: "not-a-file" };
  const unread = {
    ...nothing,
    ...(await attributesOf(signature)),
    modifiedAt: Number(signature.modifiedNs / 1_000_000n),
  };
  if (format === "pass") return { ...unread, state: "present", hash: unreadHash };
  if (signature.size > BigInt(ports.settings.limits.watchedFileBytes)) {
    return { ...unread, state: "too-large" };
  }
  try {
    const file = await ports.files.read(path);
    if (file === null) return nothing;
    // Not waited for: whoever asks for a version waits, and a change is told without two writes to the disk before it.
    void ports.files.versions.keep(path, file).catch((error: unknown) => {
      ports.log.warn({ error, path }, "Its bytes could not be kept: it can't be put back to them.");
    });
    const content =
      before?.hash === file.hash && before.format === format
        ? before
        : {
            ...nothing,
            maskedText: maskedText(format, file.text),
            ...passwordNotes(formatOfKind[format], file.text),
          };
    return {
      ...content,
      ...(origin === undefined ? {} : { origin }),
      state: "present",
      hash: file.hash,
      ...(await attributesOf(file)),
      modifiedAt: Math.round(file.modifiedAt),
    };
  } catch (error) {
    const { code, message } = asFailure(error);
    if (code === "STALLED") throw error;
    // Anything but "too large" (it grew meanwhile) is a file that this user may not read.
    const isTooLarge = /too large/i.test(message);
    return { ...unread, state: isTooLarge ? "too-large" : "unreadable" };
  }
}

function nothingOf({ path, format, origin }: WatchedFile): FileFacts {
  return {
    path,
    format,
    ...(origin === undefined ? {} : { origin }),
    state: "absent",
    hash: null,
    owner: null,
    mode: null,
    modifiedAt: null,
    maskedText: null,
  };
}

async function attributesOf({
  mode,
  uid,
  gid,
}: FileAttributes): Promise<Pick<FileFacts, "owner" | "ownerName" | "mode">> {
  const owner = `${uid}:${gid}`;
  return { owner, ownerName: await userNameOf(owner), mode: mode & 0o7777 };
}

export function maskedText(format: FileFormat, text: string): string {
  return maskSecrets(formatOfKind[format], text);
}
