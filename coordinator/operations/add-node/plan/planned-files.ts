import type { PlannedFiles } from "#shared/domain/commands.ts";
import type { PlannedFile } from "../../plan.ts";
import type { KnownNode, Situation } from "../situation.ts";
import type { PlanContext } from "./common.ts";

/**
 * Every file that the plan's edits were worked out from: those that people edit too on the existing nodes, those that
 * the new node's configuration starts from, and those on the new host that would be replaced.
 */
export function plannedFiles({ situation, primary, source }: PlanContext): readonly PlannedFile[] {
  const { existing, newcomer, product } = situation;
  const places = new Map<KnownNode, Set<string>>();
  const add = (node: KnownNode, ...paths: readonly string[]): void => {
    places.set(node, new Set([...(places.get(node) ?? []), ...paths]));
  };
  for (const node of existing) {
    const { paths, pool } = node.declared;
    add(node, paths.hbaFile, ...(pool === null ? [] : [pool.configFile]));
    add(node, ...(product.vendor?.haModuleFiles(paths, pool) ?? []));
  }
  for (const node of [primary, source]) {
    const { configFile, dataDirectory, hbaFile, identFile } = node.declared.paths;
    add(node, configFile, hbaFile, identFile, `${dataDirectory}/${product.files.autoConf}`);
  }
  add(newcomer, ...replacedOnNewcomer(situation));
  return [...places].flatMap(([node, paths]) =>
    (plannedOn(node, [...paths]) ?? []).map((file) => ({ node: node.declared.name, ...file })),
  );
}

/** What the hosts said of these files; one that nobody watches, or that can't be read, is left out. */
export function plannedOn({ facts }: KnownNode, paths: readonly string[]): PlannedFiles {
  return paths.flatMap((path) => {
    const file = facts?.files.find((candidate) => candidate.path === path);
    if (file === undefined) return [];
    if (file.state === "absent") return [{ path, hash: null }];
    return file.state === "present" ? [{ path, hash: file.hash }] : [];
  });
}

/** Files outside the new data directory that are written whole, whatever stands there. */
export function replacedOnNewcomer({ newcomer, product }: Situation): readonly string[] {
  const { paths, pool } = newcomer.declared;
  const outside = [paths.configFile, paths.hbaFile, paths.identFile].filter(
    (path) => !path.startsWith(`${paths.dataDirectory}/`),
  );
  const { vendor } = product;
  if (vendor === null || paths.root === null) return outside;
  return [
    ...outside,
    vendor.recoveryTemplate(paths.root),
    vendor.confTemplate(paths.root),
    ...vendor.haModuleFiles(paths, pool),
  ];
}
