import { shownValue } from "#shared/config-files/config-change.ts";
import { settingsInFiles } from "#shared/config-files/server-conf-files.ts";
import { parseServerConf, type SettingEntry } from "#shared/config-files/server-conf.ts";
import type { FileFacts } from "#shared/domain/facts.ts";

const mostTold = 5;

/**
 * What an edit wrote into a server's file and another line says otherwise after it, each with that line's place.
 * Nothing of lines that were there before: they may have been overruled for years.
 */
export function overruledEdits(
  { path, format, origin, maskedText }: FileFacts,
  accepted: { readonly hash: string | null; readonly text: string | null },
  configFile: string,
  files: readonly FileFacts[],
): readonly string[] {
  const isRead = path === configFile || origin !== undefined || format === "auto-conf";
  const textBefore = accepted.hash === null ? "" : accepted.text;
  if (!isRead || textBefore === null || maskedText === null) return [];
  const settings = settingsInFiles(configFile, files);
  const before = new Set(activeIn(textBefore, path).map(({ name, value }) => `${name}=${value}`));
  return activeIn(maskedText, path)
    .filter(({ name, value }) => !before.has(`${name}=${value}`))
    .flatMap(({ name, value, line }) => {
      const counts = settings.get(name);
      if (counts === undefined || counts.value === value) return [];
      return `${path}:${line}: ${name} has no effect, ${counts.file}:${counts.line} sets it to ${shownValue(counts.value)}`;
    })
    .slice(0, mostTold);
}

function activeIn(text: string, path: string): readonly SettingEntry[] {
  return parseServerConf(text, path).entries.filter(({ commentedOut }) => !commentedOut);
}
