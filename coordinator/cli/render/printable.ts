/** C0 but for tab and line feed, DEL, C1, and the marks that turn the direction of what follows. */
const steering = /(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/**
 * What files, hosts and people wrote can't move the cursor, set a title or hide a line: `ESC[2J` → `\u001b[2J`.
 * JSON means the same afterwards. A CRLF is shown on a terminal; in a pipe it stays, so that a text is whole.
 */
export function printable(text: string, isTerminal: boolean): string {
  return text.replace(steering, (character, at: number) =>
    character === "\r" && !isTerminal && isLineEnd(text, at + 1)
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function isLineEnd(text: string, at: number): boolean {
  return at === text.length || text[at] === "\n";
}
