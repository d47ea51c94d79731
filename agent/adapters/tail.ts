/** The last lines of a stream: bounded in lines and in the length of each. */
export function createTail(
  mostLines: number,
  mostCharacters: number,
): { add(chunk: string): void; lines(): readonly string[] } {
  const kept: string[] = [];
  let partial = "";
  return {
    add: (chunk) => {
      // \r: progress meters rewrite their line.
      const [first = "", ...rest] = chunk.split(/\r\n|\n|\r/);
      partial = (partial + first).slice(0, mostCharacters);
      for (const line of rest) {
        if (partial !== "") kept.push(partial);
        partial = line.slice(0, mostCharacters);
      }
      if (kept.length > mostLines) kept.splice(0, kept.length - mostLines);
    },
    lines: () => (partial === "" ? [...kept] : [...kept, partial].slice(-mostLines)),
  };
}
