import { parsePoolConf } from "#shared/config-files/pool-conf.ts";
import { poolSettings } from "#shared/config-files/pool-settings.ts";
import type { JoinFlags } from "./command-line.ts";
import type { JoinInput, PoolInput } from "./join-settings.ts";
import { productOf } from "#shared/products/product.ts";

/** The options of `join` as an input; of the pool what its own configuration says is taken where no option does. */
export function joinInput(
  flags: JoinFlags,
  home: string,
  readText: (path: string) => string | null,
): JoinInput {
  return {
    coordinator: flags.coordinator,
    node: flags.node,
    product: flags.product,
    home,
    stateDirectory: flags.stateDir,
    root: flags.root ?? null,
    binDirectory: flags.binDir ?? null,
    dataDirectory: flags.dataDir ?? null,
    configFile: flags.serverConfig ?? null,
    hbaFile: flags.hbaFile ?? null,
    identFile: flags.identFile ?? null,
    port: flags.port ?? null,
    databaseHost: flags.databaseHost ?? null,
    databaseUser: flags.databaseUser ?? null,
    databaseName: flags.databaseName ?? null,
    pool: poolInput(flags, readText),
    start: flags.start,
    rootHelper: flags.rootHelper.length === 0 ? null : flags.rootHelper,
    morePaths: flags.allowPath,
    morePrograms: flags.allowProgram,
  };
}

function poolInput(flags: JoinFlags, readText: (path: string) => string | null): PoolInput | null {
  if (flags.pool === "none") return null;
  const file =
    flags.poolConfig ?? productOf(flags.product).poolLayout(flags.root ?? null).configFile;
  const text = readText(file);
  const said = text === null ? null : poolSettings(parsePoolConf(text, file));
  return {
    kind: flags.pool,
    configFile: flags.poolConfig ?? null,
    binDirectory: flags.poolBinDir ?? null,
    pcpUser: flags.pcpUser ?? null,
    pcpHost: flags.pcpHost ?? null,
    port: flags.poolPort ?? said?.port ?? null,
    pcpPort: flags.pcpPort ?? said?.pcpPort ?? null,
    // pgpool 4.x takes a list of directories.
    socketDirectory: flags.poolSocketDir ?? said?.socketDir?.split(",")[0]?.trim() ?? null,
  };
}
