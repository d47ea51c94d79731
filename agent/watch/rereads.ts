/** Long enough for an editor's second write and for the file system's clock to tick; far below a second. */
const rereadAfterMs = 100;

/** Two looks per burst of events: the first soon, the second for what was written while the first was waited for. */
export function createRereads(look: (paths: ReadonlySet<string>) => void): {
  schedule(paths: readonly string[]): void;
  stop(): void;
} {
  let waiting = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  let second: NodeJS.Timeout | null = null;
  const fire = (): void => {
    const paths = waiting;
    waiting = new Set();
    timer = null;
    look(paths);
    if (second !== null) clearTimeout(second);
    second = setTimeout(() => look(paths), rereadAfterMs);
  };
  return {
    schedule: (paths) => {
      for (const path of paths) waiting.add(path);
      timer ??= setTimeout(fire, rereadAfterMs);
    },
    stop: () => {
      if (timer !== null) clearTimeout(timer);
      if (second !== null) clearTimeout(second);
    },
  };
}
