import type { Evidence } from "#shared/domain/commands.ts";

export function evidence(lines: readonly string[], more: Partial<Evidence> = {}): Evidence {
  return { alreadyDone: false, lines: [...lines], files: [], ...more };
}
