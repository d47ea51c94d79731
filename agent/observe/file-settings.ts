import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { parseServerConf, quoteValue } from "#shared/config-files/server-conf.ts";
import type { DatabaseFacts, FileSetting } from "#shared/domain/facts.ts";
import type { Dialect } from "#shared/products/product.ts";
import {
  settingsNotInForce,
  type RunningSetting,
  type SettingLine,
} from "../decide/file-settings.ts";
import { silentPlaces } from "../adapters/answering.ts";
import type { Databases, Row } from "../ports.ts";
import { flagOf, numberOf, textOf } from "./row-values.ts";

/** Settings that stand in files and are not in force; nothing where the server or its rights don't tell. */
export async function askFileSettings(
  own: Databases["own"],
  dialect: Dialect,
): Promise<Pick<DatabaseFacts, "fileSettings" | "configLoadedAt">> {
  // The server reads the files anew for it.
  if (silentPlaces().length > 0) return {};
  try {
    const lines = (await own.query(dialect.fileSettings)).map(lineOf);
    const running = (await own.query(dialect.runningSettings)).map(runningOf);
    const { configLoaded } = dialect;
    const [loaded] = configLoaded === null ? [] : await own.query(configLoaded);
    const found = settingsNotInForce(lines, running, own.versionNumber ?? 0);
    return {
      fileSettings: found.map(masked),
      configLoadedAt: loaded === undefined ? null : numberOf(loaded, "loaded_at"),
    };
  } catch {
    // Only a superuser may ask (PostgreSQL docs, pg_file_settings): then nothing is said of it.
    return {};
  }
}

function lineOf(row: Row): SettingLine {
  return {
    name: textOf(row, "name"),
    file: textOf(row, "file") ?? "",
    line: numberOf(row, "line") ?? 1,
    order: numberOf(row, "place") ?? 0,
    value: textOf(row, "value"),
    error: textOf(row, "error"),
  };
}

function runningOf(row: Row): RunningSetting {
  return {
    name: textOf(row, "name") ?? "",
    value: textOf(row, "value"),
    unit: textOf(row, "unit"),
    vartype: textOf(row, "vartype") ?? "",
    context: textOf(row, "context") ?? "",
    source: textOf(row, "source") ?? "",
    file: textOf(row, "file"),
    line: numberOf(row, "line"),
    least: textOf(row, "least"),
    most: textOf(row, "most"),
    waitsForRestart: flagOf(row, "pending_restart"),
  };
}

function masked(setting: FileSetting): FileSetting {
  const mask = (value: string | null): string | null =>
    value === null ? null : maskedValue(setting.name, value);
  return { ...setting, inFile: mask(setting.inFile), inForce: mask(setting.inForce) };
}

/** As it would be shown in the file. */
function maskedValue(name: string, value: string): string {
  const text = maskSecrets("server-conf", `${name} = ${quoteValue(value)}\n`);
  return parseServerConf(text).entries[0]?.value ?? "[secret]";
}
