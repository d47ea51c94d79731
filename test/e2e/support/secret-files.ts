import { lstatSync, readdirSync, readFileSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { Host } from "#test/harness/host.ts";
import { findUser } from "#test/harness/users.ts";
import type { Spelling } from "./secrets.ts";

/** Everything on a host's disk and in its memory that is not shared by all hosts. */
const places = ["/etc", "/home", "/opt", "/root", "/srv", "/tmp", "/var", "/run"];
/** Relation files hold what the test's own tables hold; the checkout and the servers are everybody's. */
const notSearched =
  /^\/opt\/(?:castellan|postgres-\d+|node)$|\/data\/base$|^\/var\/(?!lib|log|spool)/;

/** Files of a host that hold a secret, as `mode owner path`. */
export function filesWithSecrets(host: Host, spellings: readonly Spelling[]): readonly string[] {
  const patterns = spellings.map(({ name, text }) => ({ name, bytes: Buffer.from(text) }));
  return filesBelow(host)
    .filter(({ outside }) => {
      const bytes = readOrNull(outside);
      return bytes !== null && patterns.some((pattern) => bytes.includes(pattern.bytes));
    })
    .flatMap(({ outside, inside }) => describeFile(host, outside, inside))
    .sort();
}

/** What anybody but its owner can open, below a folder. */
export function openFilesBelow(host: Host, folder: string): readonly string[] {
  return filesBelow(host, [folder])
    .filter(({ outside }) => ((statOrNull(outside)?.mode ?? 0) & 0o077) !== 0)
    .flatMap(({ outside, inside }) => describeFile(host, outside, inside))
    .sort();
}

type Found = { readonly outside: string; readonly inside: string };

function filesBelow(host: Host, folders: readonly string[] = places): readonly Found[] {
  const walk = (inside: string): readonly Found[] => {
    if (notSearched.test(inside)) return [];
    return entriesOf(host.path(inside)).flatMap((entry) => {
      const path = join(inside, entry.name);
      if (entry.isDirectory()) return walk(path);
      return entry.isFile() ? [{ outside: host.path(path), inside: path }] : [];
    });
  };
  return folders.flatMap(walk);
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** It may have gone since its folder was listed. */
function readOrNull(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch {
    return null;
  }
}

function statOrNull(file: string): Stats | null {
  try {
    return lstatSync(file);
  } catch {
    return null;
  }
}

/** Nothing for a file that has gone meanwhile: an agent hands a password to a program for a moment. */
function describeFile(host: Host, outside: string, inside: string): readonly string[] {
  const found = statOrNull(outside);
  if (found === null) return [];
  const passwd = host.path("/etc/passwd");
  const owner = ["root", "postgres", "kingbase"].find(
    (name) => findUser(name, passwd)?.uid === found.uid,
  );
  return [`${(found.mode & 0o7777).toString(8)} ${owner ?? found.uid} ${inside}`];
}
