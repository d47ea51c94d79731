import { type CronFile, parseCron } from "#shared/config-files/cron-lines.ts";
import { type HaModule, parseHaModule } from "#shared/config-files/ha-module.ts";
import { joinsLines } from "#shared/config-files/hba-access.ts";
import { type HbaConf, parseHba } from "#shared/config-files/hba.ts";
import { parsePasswordHashes } from "#shared/config-files/password-hashes.ts";
import { parsePoolConf, type PoolConf } from "#shared/config-files/pool-conf.ts";
import { parseRecoveryConf, type RecoveryConf } from "#shared/config-files/recovery-conf.ts";
import {
  confSourceOf,
  readServerConfFiles,
  type ServerConfFiles,
} from "#shared/config-files/server-conf-files.ts";
import { parseServerConf, type ServerConf } from "#shared/config-files/server-conf.ts";
import type { Complaint } from "#shared/config-files/text-file.ts";
import { bareAddress, isLoopback } from "#shared/domain/addresses.ts";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { type Product, productOf } from "#shared/products/product.ts";
import type { RuleFacts } from "./facts.ts";

/** A file as its agent shows it: secrets masked, everything else as it stands. */
export type ReadFile<T = unknown> = {
  readonly path: string;
  /** By which its breaches are told apart. */
  readonly short: string;
  readonly facts: FileFacts;
  readonly text: string;
  readonly content: T;
  readonly complaints: readonly Complaint[];
};

/** A declared node with what its agent sees now. A file is null where it is absent or can't be read. */
export type NodeView = {
  readonly name: string;
  readonly declared: NodeDeclaration;
  /** Null while its agent is away. */
  readonly facts: RuleFacts | null;
  readonly conf: ReadFile<ServerConf> | null;
  /** What that one includes now. */
  readonly included: readonly ReadFile<ServerConf>[];
  /** What all of these say. */
  readonly written: Pick<ServerConfFiles, "settings" | "isWhole">;
  readonly autoConf: ReadFile<ServerConf> | null;
  /** The vendor's master copy of the server's file. */
  readonly confTemplate: ReadFile<ServerConf> | null;
  readonly recovery: ReadFile<RecoveryConf> | null;
  readonly recoveryTemplate: ReadFile<RecoveryConf> | null;
  readonly hba: ReadFile<HbaConf> | null;
  readonly haModules: readonly ReadFile<HaModule>[];
  readonly poolConf: ReadFile<PoolConf> | null;
  readonly poolHba: ReadFile<HbaConf> | null;
  /** User names of the pool's password file. */
  readonly poolUsers: ReadFile<readonly string[]> | null;
  readonly cron: ReadFile<CronFile> | null;
  /** Short names of watched files that are not there, or not included any more: what was wrong in them is over. */
  readonly goneFiles: readonly string[];
};

export type ClusterView = {
  readonly declaration: ClusterDeclaration;
  readonly product: Product;
  readonly nodes: readonly NodeView[];
  /** The one node whose running database says so; null where none or several do. */
  readonly primary: NodeView | null;
  /** Nodes that run a pool. */
  readonly managers: readonly NodeView[];
  /** Bare addresses of both. */
  readonly virtualAddresses: readonly string[];
  /** Every address is of 127.0.0.0/8: all hosts are one, and clients appear as 127.0.0.1. */
  readonly isOneHost: boolean;
};

/** `factsOf` gives what an agent sees now, null for one that is away. */
export function clusterView(
  declaration: ClusterDeclaration,
  factsOf: (node: string) => RuleFacts | null,
): ClusterView {
  const product = productOf(declaration.product);
  const nodes = declaration.nodes.map((node) => nodeView(node, product, factsOf(node.name)));
  const primaries = nodes.filter(
    ({ facts }) => facts?.database.status === "running" && facts.database.role === "primary",
  );
  const { database, pool } = declaration.virtualAddresses;
  return {
    declaration,
    product,
    nodes,
    primary: primaries.length === 1 ? (primaries[0] ?? null) : null,
    managers: nodes.filter(({ declared }) => declared.pool !== null),
    virtualAddresses: [database, pool].flatMap((vip) => (vip === null ? [] : [bareAddress(vip)])),
    isOneHost: nodes.every(({ declared }) => isLoopback(declared.address)),
  };
}

function nodeView(declared: NodeDeclaration, product: Product, facts: RuleFacts | null): NodeView {
  const { paths, pool } = declared;
  const short = (path: string): string => shortName(declared, path);
  const read = <T>(
    path: string | undefined,
    parse: (text: string, path: string) => T,
    complaintsOf: (content: T) => readonly Complaint[],
  ): ReadFile<T> | null => {
    const file = facts?.files.find((candidate) => candidate.path === path) ?? null;
    if (file === null || file.state !== "present" || file.maskedText === null) return null;
    const content = parse(file.maskedText, file.path);
    const complaints = complaintsOf(content);
    return { path: file.path, short: short(file.path), facts: file, text: file.maskedText, content, complaints }; // prettier-ignore
  };
  const withComplaints = (content: { readonly complaints: readonly Complaint[] }) =>
    content.complaints;
  const written = readServerConfFiles(paths.configFile, confSourceOf(facts?.files ?? []));
  const server = (path: string | undefined) =>
    read(
      path,
      (text, file) => parseServerConf(text, file),
      ({ file, complaints }) => [
        ...complaints,
        ...written.complaints.filter((complaint) => complaint.file === file),
      ],
    );
  const recovery = (path: string | undefined) => read(path, parseRecoveryConf, withComplaints);
  const continuations = joinsLines(facts?.database.versionNumber ?? 0);
  const pathOf = (format: FileFacts["format"]): string | undefined =>
    facts?.files.find((file) => file.format === format)?.path;
  const { vendor } = product;
  const root = vendor === null ? null : paths.root;
  return {
    name: declared.name,
    declared,
    facts,
    conf: server(paths.configFile),
    included: written.included.flatMap(({ path }) => server(path) ?? []),
    written,
    autoConf: server(`${paths.dataDirectory}/${product.files.autoConf}`),
    confTemplate: root === null ? null : server(vendor?.confTemplate(root)),
    recovery: recovery(`${paths.dataDirectory}/recovery.conf`),
    recoveryTemplate: root === null ? null : recovery(vendor?.recoveryTemplate(root)),
    hba: read(
      paths.hbaFile,
      (text, file) => parseHba(text, { file, continuations }),
      withComplaints,
    ),
    haModules: (vendor?.haModuleFiles(paths, pool) ?? []).flatMap(
      (path) => read(path, parseHaModule, withComplaints) ?? [],
    ),
    poolConf: read(pool?.configFile, parsePoolConf, ({ conf }) => conf.complaints),
    poolHba:
      pool === null
        ? null
        : read(
            pathOf("pool-hba"),
            (text, file) => parseHba(text, { file, continuations: false }),
            withComplaints,
          ),
    poolUsers: pool === null ? null : read(pathOf("pool-passwd"), usersIn, () => []),
    cron: read(vendor?.cronFile, parseCron, withComplaints),
    goneFiles: (facts?.files ?? [])
      .filter(({ state, origin, path }) => {
        const isIncluded = written.included.some((file) => file.path === path);
        return state === "absent" || (origin !== undefined && written.isWhole && !isIncluded);
      })
      .map(({ path }) => short(path)),
  };
}

/** Below the cluster's root or beside the server's configuration file, else the whole path. */
export function shortName({ paths }: NodeDeclaration, path: string): string {
  const folder = paths.root ?? paths.configFile.slice(0, paths.configFile.lastIndexOf("/"));
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
}

function usersIn(text: string, path: string): readonly string[] {
  return [...new Set(parsePasswordHashes(text, path).entries.map(({ user }) => user))];
}

/** Null where the server or the pool would refuse the file as it stands: the last good one is in force. */
export function sound<T>(file: ReadFile<T> | null): ReadFile<T> | null {
  return file === null || file.complaints.length > 0 ? null : file;
}
