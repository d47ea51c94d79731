import { createHash } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs"; // prettier-ignore
import { join } from "node:path";
import { crashPoint } from "#shared/crash-point.ts";
import { Name } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import type { ClusterFiles, LoadedCluster } from "../ports.ts";
import { syncDirectory, writeSynced } from "../store/replace-file.ts";
import { addNodeToYaml } from "./add-node-to-yaml.ts";
import { parseClusterFile } from "./parse.ts";
import { removeNodeFromYaml } from "./remove-node-from-yaml.ts";
import { takeNodeFromYaml } from "./take-node-from-yaml.ts";

const suffix = ".yaml";

/** What a write beside is called; the pid is of the one coordinator that may use the folder. */
const besideName = /^\..+\.\d+\.new$/;

/**
 * The folder of cluster declarations. Every write is beside, fsync, rename (or link), fsync of the folder; what a
 * killed coordinator left beside is swept first.
 */
export function createClusterFiles(
  directory: string,
  onWritten: (name: string) => void = () => undefined,
): ClusterFiles {
  const fileOf = (name: string): string => {
    if (!Name.safeParse(name).success) throw unknown(name);
    return join(directory, `${name}${suffix}`);
  };
  const unknown = (name: string): Failure =>
    new Failure("NOT_FOUND", `There is no cluster ${JSON.stringify(name)} in ${directory}.`, {
      hint: knownHint(names()),
    });
  const names = (): readonly string[] => {
    try {
      return readdirSync(directory)
        .filter((file) => file.endsWith(suffix) && !file.startsWith("."))
        .map((file) => file.slice(0, -suffix.length))
        .toSorted();
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw new Failure("CONFIG_INVALID", `${directory} can't be read.`, { cause: error });
    }
  };
  sweep(directory);
  const load = (name: string): LoadedCluster => {
    const file = fileOf(name);
    let bytes: Buffer;
    try {
      bytes = readFileSync(file);
    } catch (error) {
      if (codeOf(error) === "ENOENT") throw unknown(name);
      throw new Failure("CONFIG_INVALID", `${file} can't be read: ${codeOf(error) ?? "unknown"}.`, {
        cause: error,
      });
    }
    return loaded(name, file, bytes);
  };
  const replace = (name: string, { file, yaml }: LoadedCluster, text: string): LoadedCluster => {
    const mode = statSync(file).mode & 0o7777;
    const beside = writeBeside(directory, name, text, mode);
    crashPoint("file:written-beside");
    if (readFileSync(file, "utf8") !== yaml) {
      rmSync(beside, { force: true });
      // An editor saved it in the same moment: what it wrote must not be lost.
      throw new Failure("OPERATION_CONFLICT", `${file} was changed while it was edited.`, {
        hint: "Nothing was written; trying again edits what stands there now.",
        retryable: true,
      });
    }
    renameSync(beside, file);
    crashPoint("file:renamed");
    syncDirectory(directory);
    onWritten(name);
    return loaded(name, file, Buffer.from(text));
  };
  return {
    names,
    load,
    create: (name, yaml) => {
      const file = fileOf(name);
      const cluster = loaded(name, file, Buffer.from(yaml));
      mkdirSync(directory, { recursive: true, mode: 0o750 });
      const beside = writeBeside(directory, name, cluster.yaml, 0o640);
      try {
        // A link fails where a rename would replace: two imports at once can't overwrite each other.
        linkSync(beside, file);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        throw new Failure("ALREADY_EXISTS", `${file} is there already.`, {
          hint: "Import under another name, or move the file away.",
        });
      } finally {
        rmSync(beside, { force: true });
      }
      syncDirectory(directory);
      onWritten(name);
      return cluster;
    },
    addNode: (name, node) => {
      const before = load(name);
      const text = addNodeToYaml(before.file, before.yaml, node);
      return text === before.yaml ? before : replace(name, before, text);
    },
    removeNode: (name, node) => {
      const before = load(name);
      const text = removeNodeFromYaml(before.file, before.yaml, node);
      return text === before.yaml ? before : replace(name, before, text);
    },
    putNodeBack: (name, node, yaml) => {
      const before = load(name);
      const isAsLeft = removeNodeFromYaml(before.file, yaml, node.name) === before.yaml;
      const text = isAsLeft ? yaml : addNodeToYaml(before.file, before.yaml, node);
      return text === before.yaml ? before : replace(name, before, text);
    },
    takeNode: (name, node) => {
      const before = load(name);
      const text = takeNodeFromYaml(before.file, before.yaml, node);
      if (text === null) return "edited";
      if (text === before.yaml) return "absent";
      replace(name, before, text);
      return "taken";
    },
  };
}

/** A folder that can't be read or written says so when it is used. */
function sweep(directory: string): void {
  try {
    const left = readdirSync(directory).filter((file) => besideName.test(file));
    for (const file of left) rmSync(join(directory, file), { force: true });
  } catch {
    return;
  }
}

function loaded(name: string, file: string, bytes: Buffer): LoadedCluster {
  const yaml = bytes.toString("utf8");
  const declaration = parseClusterFile(file, yaml);
  if (declaration.name !== name) {
    throw new Failure(
      "CONFIG_INVALID",
      `${file} declares the cluster ${declaration.name}; its name must be the file's, ${name}.`,
      { hint: `Rename the file to ${declaration.name}${suffix}, or correct cluster.name.` },
    );
  }
  return { file, yaml, hash: createHash("sha256").update(bytes).digest("hex"), declaration };
}

function writeBeside(directory: string, name: string, text: string, mode: number): string {
  const beside = join(directory, `.${name}.${process.pid}.new`);
  rmSync(beside, { force: true });
  writeSynced(beside, Buffer.from(text), mode);
  return beside;
}

function knownHint(names: readonly string[]): string {
  if (names.length === 0) return 'None is declared yet: "castellan cluster import" makes one.';
  return `Declared are ${names.join(", ")}.`;
}

function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
