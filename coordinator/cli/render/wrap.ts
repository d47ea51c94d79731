/** Breaks at blanks; a word that is longer than a line (a path) stays whole. Lines of the text stay lines. */
export function wrap(text: string, width: number): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const lines: string[] = [];
    let current = "";
    for (const word of line.split(" ")) {
      const longer = current === "" ? word : `${current} ${word}`;
      if (current !== "" && longer.length > width) {
        lines.push(current.trimEnd());
        current = word;
      } else {
        current = longer;
      }
    }
    return [...lines, current.trimEnd()];
  });
}
