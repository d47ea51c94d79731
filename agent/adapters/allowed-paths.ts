import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join, normalize } from "node:path";
import { Failure } from "#shared/errors.ts";
import { orNull } from "./file-failure.ts";

export type AllowedPaths = {
  /**
   * Where a write to `path` really lands, with every symbolic link resolved (of what does not exist
   * yet: those of its nearest existing parent). @throws Failure REFUSED outside the allow-list
   */
  target(path: string): Promise<string>;
  /** The same, but a link at `path` itself is not followed: for remove and rename. */
  entry(path: string): Promise<string>;
  /** A directory that may be made, or removed when empty: an allowed one, or a missing parent of an allowed place. */
  directory(path: string): Promise<string>;
};

/**
 * `allow.paths` of agent.yaml: each is a file, or a directory with all below it. What is `never` allowed stands out of
 * that: the vendor's root holds the programs that we run, and whoever may write these may run anything.
 */
export function createAllowedPaths(
  allowed: readonly string[],
  never: readonly string[] = [],
): AllowedPaths {
  const isBelow = async (real: string, roots: readonly string[]): Promise<boolean> => {
    for (const root of roots) {
      // Resolved at every use: the site may move a directory behind a link while we run.
      const realRoot = await resolveLinks(normalize(root)).catch(() => null);
      if (realRoot === null) continue;
      if (real === realRoot || real.startsWith(realRoot === "/" ? "/" : `${realRoot}/`))
        return true;
    }
    return false;
  };
  const assertAllowed = async (asked: string, real: string): Promise<string> => {
    const where = real === asked ? asked : `${asked} (really ${real})`;
    if (await isBelow(real, never)) {
      throw new Failure("REFUSED", `${where} may never be written: programs or the agent's state`, {
        hint: "Name another place: neither allow.programs nor stateDirectory may be written to.",
      });
    }
    if (await isBelow(real, allowed)) return real;
    throw new Failure("REFUSED", `${where} may not be written: allow.paths does not name it`, {
      hint: "If it should be, add it to allow.paths in agent.yaml and restart the agent.",
    });
  };
  const isParent = async (real: string): Promise<boolean> => {
    const roots = await Promise.all(
      allowed.map((root) => resolveLinks(normalize(root)).catch(() => null)),
    );
    return roots.some((root) => root?.startsWith(`${real}/`) === true);
  };
  return {
    directory: async (path) => {
      const asked = withoutSlash(path);
      const real = await resolveLinks(asked);
      return (await isParent(real)) ? real : assertAllowed(asked, real);
    },
    target: async (path) => {
      const asked = withoutSlash(path);
      return assertAllowed(asked, await resolveLinks(asked));
    },
    entry: async (path) => {
      const asked = withoutSlash(path);
      return assertAllowed(asked, join(await resolveLinks(dirname(asked)), basename(asked)));
    },
  };
}

function withoutSlash(path: string): string {
  const clean = normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

async function resolveLinks(path: string): Promise<string> {
  const real = await orNull(realpath(path));
  if (real !== null) return withoutSlash(real);
  if ((await orNull(lstat(path))) !== null) {
    throw new Failure("REFUSED", `${path} is a symbolic link to nothing`, {
      hint: "Remove the link, or make what it points to.",
    });
  }
  return join(await resolveLinks(dirname(path)), basename(path));
}
